"""How a test says which case of the upstream suite it is. `table` reads these marks."""

from __future__ import annotations

import pytest


def case(name: str) -> pytest.MarkDecorator:
    """The test stands for the upstream case of that short name, and asserts no less."""
    return pytest.mark.conformance(name)


def feature(name: str) -> pytest.MarkDecorator:
    """The test shows a feature that upstream names but has no case for."""
    return pytest.mark.conformance_feature(name)


def failing(reason: str) -> pytest.MarkDecorator:
    """It does not pass yet. Strict: once it passes, the mark has to go."""
    return pytest.mark.xfail(strict=True, reason=reason)


def void(reason: str) -> pytest.MarkDecorator:
    """The suite does not ask this case of a gateway with the features that Sampan has; the test shows those."""
    return pytest.mark.conformance_void(reason)
