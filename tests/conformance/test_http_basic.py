"""HTTPRoutes: the first steps."""

from __future__ import annotations

import pytest

from .marks import case
from .stage import Stage
from .world import to

pytestmark = pytest.mark.envoy


@case("HTTPRouteSimpleSameNamespace")
def test_a_route_in_the_namespace_of_its_gateway(stage: Stage) -> None:
    stage.apply(stage.route(to("a")))
    stage.expect("a", "/")


@case("HTTPRouteExactPathMatching")
def test_exact_paths(stage: Stage) -> None:
    stage.apply(
        stage.route(
            to("a", matches=[{"path": {"type": "Exact", "value": "/one"}}]),
            to("b", matches=[{"path": {"type": "Exact", "value": "/two"}}]),
        )
    )
    stage.expect("a", "/one")
    stage.expect("b", "/two")
    for path in ("/", "/one/example", "/two/", "/Two"):
        stage.expect(404, path)
