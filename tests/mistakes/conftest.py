"""The whole Sampan of tests/daemon, for mistakes and attacks."""

from __future__ import annotations

from ..daemon.conftest import folder, one, sampan, sampan_with_raw_route, two

__all__ = ["folder", "one", "sampan", "sampan_with_raw_route", "two"]
