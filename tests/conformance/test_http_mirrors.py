"""HTTPRoutes: RequestMirror, whole and in part."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest

from .marks import case
from .stage import Stage
from .test_http_filters import MIXED, MIXED_SENT, assert_mixed
from .world import Answer, Document, to, until

pytestmark = pytest.mark.envoy

ASKED = 500


def mirror(name: str, **share: object) -> Document:
    return {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": name, "port": 8080}, **share}}


def at(path: str) -> list[Document]:
    return [{"path": {"type": "PathPrefix", "value": path}}]


def mirrored(stage: Stage, name: str, path: str) -> list[dict[str, Any]]:
    """What the mirror's backend got for this path and query."""
    return [record for record in stage.world.backends.seen[stage.backend(name)] if record["path"] == path]


def assert_mirrored(stage: Stage, *names: str) -> None:
    """Both rules: the plain one and the one that changes headers too, whose changes the mirror sees as well."""
    stage.expect("a", "/plain?id=1")
    for name in names:
        until(partial(mirrored, stage, name, "/plain?id=1"))
    answer = stage.expect("a", "/changed?id=2", headers=MIXED_SENT, changes=["headers"])
    assert_mixed(answer)
    for name in names:
        until(partial(mirrored, stage, name, "/changed?id=2"))
        assert_mixed(Answer(200, [], mirrored(stage, name, "/changed?id=2")[0]))


@case("HTTPRouteRequestMirror")
def test_a_mirror(stage: Stage) -> None:
    stage.apply(
        stage.route(
            to("a", matches=at("/plain"), filters=[mirror("b")]),
            to("a", matches=at("/changed"), filters=[MIXED, mirror("b")]),
        )
    )
    assert_mirrored(stage, "b")


@case("HTTPRouteRequestMultipleMirrors")
def test_two_mirrors(stage: Stage) -> None:
    stage.apply(
        stage.route(
            to("a", matches=at("/plain"), filters=[mirror("b"), mirror("c")]),
            to("a", matches=at("/changed"), filters=[MIXED, mirror("b"), mirror("c")]),
        )
    )
    assert_mirrored(stage, "b", "c")


@case("HTTPRouteRequestPercentageMirror")
def test_a_part_is_mirrored(stage: Stage) -> None:
    stage.apply(
        stage.route(
            to("a", matches=at("/percent"), filters=[mirror("b", percent=20)]),
            to("a", matches=at("/fraction"), filters=[mirror("b", fraction={"numerator": 25, "denominator": 50})]),
            to("a", matches=at("/changed"), filters=[MIXED, mirror("b", percent=35)]),
        )
    )
    for path, share in (("/percent", 0.20), ("/fraction", 0.50), ("/changed", 0.35)):
        stage.expect("a", f"{path}?warm")
        # Within three standard deviations; chance may spoil that once (0.3 %), not three times in a row.
        deviation = math.sqrt(ASKED * share * (1 - share))
        assert any(
            abs(count_mirrored(stage, path, f"try={number}") - ASKED * share) <= 3 * deviation for number in range(3)
        )


def count_mirrored(stage: Stage, path: str, query: str) -> int:
    """How many of ASKED requests, all answered by `a`, came to `b` too. Nobody waits for those: counted is when a later
    request has come."""
    for _ in range(ASKED):
        answer = stage.world.ask(stage.port, f"{path}?{query}", headers=MIXED_SENT)
        assert answer.backend == stage.backend("a")
        if path == "/changed":
            assert_mixed(answer)
    last = f"{path}?last-of-{query}"
    until(lambda: stage.world.ask(stage.port, last) and mirrored(stage, "b", last))
    return len(mirrored(stage, "b", f"{path}?{query}"))
