"""A short folder for sockets: pytest's own may be too long for `sun_path`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # proxy_harness.py, under --import-mode=importlib


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sampan-", dir="/tmp") as name:
        yield Path(name)
