"""What holds for all tests: a marked test needs a real part, and says so where that part is absent.

With SAMPAN_REQUIRE_ALL=1 (as in CI) an absent part fails the test instead of skipping it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

import pytest

from sampan.proxy import binary

from . import consul_binary

# Tests run beside one another, and beside a Sampan or a Consul that somebody uses: no `sampan` that they start takes
# the registry's own ports. A test that wants a registry asks for one at a free port.
os.environ.update(SAMPAN_REGISTRY="off", SAMPAN_REGISTRY_DNS="off")
for _name in (
    "SAMPAN_CONSUL_ADDR",
    "SAMPAN_REGISTRY_TOKEN",
    *(name for name in os.environ if name.startswith("CONSUL_")),
):
    os.environ.pop(_name, None)


def _envoy() -> str:
    try:
        binary.find()
    except binary.EnvoyMissingError as error:
        return str(error)
    return ""


def _root() -> str:
    return "" if os.geteuid() == 0 else "not run as root"


def _browser() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    return "" if found else "no Chromium is installed"


def _shell() -> str:
    missing = [name for name in ("sh", "curl", "openssl") if not shutil.which(name)]
    return f"there is no {', '.join(missing)}" if missing else ""


ABSENT: dict[str, Callable[[], str]] = {
    "envoy": _envoy,
    "consul": consul_binary.absent,
    "dig": lambda: "" if shutil.which("dig") else "there is no dig (Debian: bind9-dnsutils)",
    "go": lambda: "" if shutil.which("go") else "there is no Go (Debian: golang-go)",
    "root": _root,
    "browser": _browser,
    "shell": _shell,
}
"""By marker: why its real part is absent, or ""."""


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, absent in ABSENT.items():
        if item.get_closest_marker(marker) and (reason := absent()):
            if os.environ.get("SAMPAN_REQUIRE_ALL") == "1":
                pytest.fail(f"{marker} is required here: {reason}", pytrace=False)
            pytest.skip(reason)
