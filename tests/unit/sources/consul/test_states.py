"""The lists of unhealthy checks: whose health changed."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.consul.errors import GarbageError
from sampan.sources.consul.states import Affected, affected, checks

NODE = {"Node": "n1", "CheckID": "serfHealth", "ServiceName": ""}
WEB = {"Node": "n1", "CheckID": "service:web-1", "ServiceName": "web"}
API = {"Node": "n2", "CheckID": "service:api-1", "ServiceName": "api"}


def test_what_comes_and_what_leaves() -> None:
    before, now = checks([WEB]), checks([API, NODE])
    assert affected(before, now) == Affected(frozenset({"web", "api"}), frozenset({"n1"}))
    assert affected(now, now) == Affected()


@pytest.mark.parametrize("body", [None, {}, [1], [{"Node": "n1"}], ["x"]])
def test_nonsense_is_named(body: Any) -> None:
    with pytest.raises(GarbageError):
        checks(body)
