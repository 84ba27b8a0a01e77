"""The whole Sampan of tests/daemon."""

from __future__ import annotations

from ..daemon.conftest import folder, one, sampan

__all__ = ["folder", "one", "sampan"]
