"""Makes `xds_harness.py` importable under `--import-mode=importlib`; a folder for sockets."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: a Unix socket's has at most 103 bytes."""
    with tempfile.TemporaryDirectory(prefix="smp") as path:
        yield Path(path)
