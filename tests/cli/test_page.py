"""The shop's front page in a real browser, through the real gateway."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from .conftest import Sampan, demo_ports, until

pytestmark = [pytest.mark.envoy, pytest.mark.browser]

# Without these, Chromium calls its makers' servers at every start.
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
)


def test_the_page_shows_the_shop_and_who_answered(sampan: Sampan, folder: Path) -> None:
    ports = demo_ports()
    with sampan.started("demo", *ports):
        until(lambda: "The shop: " in sampan.log.read_text(), sampan.log.read_text)
        page = _seen(f"http://127.0.0.1:{ports[1]}/", folder / "profile")
    text = re.sub(r"<[^>]+>", " ", page)
    for product in ("kettle", "lantern", "rope"):
        assert product in text.lower()
    for instance in (r"shop-\d", r"catalogue-[12]", r"reviews-v[12]-\d", r"stock-\d"):
        assert re.search(instance, text), f"{instance} is not on the page"


def _seen(url: str, profile: Path) -> str:
    """The page's elements after its scripts have run for three (virtual) seconds."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert browser is not None
    done = subprocess.run(
        [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            *QUIET,
            f"--user-data-dir={profile}",
            "--virtual-time-budget=3000",
            "--dump-dom",
            url,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout
