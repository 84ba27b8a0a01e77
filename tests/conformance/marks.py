"""How a test says which case of the upstream suite it is. `table` reads these marks."""

from __future__ import annotations

import pytest


def case(name: str) -> pytest.MarkDecorator:
    """The test stands for the upstream case of that short name, and asserts no less."""
    return pytest.mark.conformance(name)


def failing(reason: str) -> pytest.MarkDecorator:
    """It does not pass yet. Strict: once it passes, the mark has to go."""
    return pytest.mark.xfail(strict=True, reason=reason)
