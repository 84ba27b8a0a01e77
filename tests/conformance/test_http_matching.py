"""HTTPRoutes: which rule gets a request."""

from __future__ import annotations

import pytest

from .marks import case
from .stage import Stage
from .world import Document, to

pytestmark = pytest.mark.envoy


def path(value: str, kind: str = "PathPrefix") -> Document:
    return {"path": {"type": kind, "value": value}}


def headers(**values: str) -> Document:
    return {"headers": [{"name": name, "value": value} for name, value in values.items()]}


def query(**values: str) -> Document:
    return {"queryParams": [{"name": name, "value": value} for name, value in values.items()]}


@case("HTTPRouteMatching")
def test_paths_and_headers(stage: Stage) -> None:
    stage.apply(
        stage.route(
            to("a", matches=[path("/"), headers(version="one")]),
            to("b", matches=[path("/v2"), headers(version="two")]),
        )
    )
    stage.expect("a", "/")
    stage.expect("a", "/example")
    stage.expect("a", "/", headers={"Version": "one"})
    stage.expect("b", "/v2")
    stage.expect("b", "/v2/example")
    stage.expect("b", "/", headers={"Version": "two"})
    stage.expect("b", "/v2/")
    stage.expect("a", "/v2example")
    stage.expect("a", "/foo/v2/example")


@case("HTTPRouteMatchingAcrossRoutes")
def test_rules_of_two_routes_are_ordered_together(stage: Stage) -> None:
    wide, narrow = ["one.example", "two.example"], ["one.example"]
    stage.apply(
        stage.route(to("a", matches=[path("/"), headers(version="one")]), name="wide", hostnames=wide),
        stage.route(to("b", matches=[path("/v2"), headers(version="two")]), name="narrow", hostnames=narrow),
    )
    stage.expect("a", "/", "one.example")
    stage.expect("a", "/example", "one.example")
    stage.expect("a", "/example", "two.example")
    stage.expect("a", "/example", "one.example", headers={"Version": "one"})
    stage.expect("b", "/v2", "one.example")
    stage.expect("a", "/v2", "two.example")
    stage.expect("b", "/v2/example", "one.example")
    stage.expect("b", "/", "one.example", headers={"Version": "two"})


@case("HTTPRouteMethodMatching")
def test_methods(stage: Stage) -> None:
    stage.apply(
        stage.route(
            to("a", matches=[{"method": "POST"}]),
            to("b", matches=[{"method": "GET"}]),
            to("a", matches=[path("/path1") | {"method": "GET"}]),
            to("b", matches=[headers(version="one") | {"method": "PUT"}]),
            to("c", matches=[path("/path2") | headers(version="two") | {"method": "POST"}]),
            to(
                "a",
                matches=[
                    path("/path3") | {"method": "PATCH"},
                    path("/path4") | headers(version="three") | {"method": "DELETE"},
                ],
            ),
            to("a", matches=[path("/path5")]),
            to("b", matches=[{"method": "PATCH"}]),
            to("c", matches=[headers(version="four")]),
        )
    )
    stage.expect("a", method="POST")
    stage.expect("b", method="GET")
    stage.expect(404, method="HEAD")
    stage.expect("a", "/path1", method="GET")
    stage.expect("b", method="PUT", headers={"version": "one"})
    stage.expect("c", "/path2", method="POST", headers={"version": "two"})
    stage.expect("a", "/path3", method="PATCH")
    stage.expect("a", "/path4", method="DELETE", headers={"version": "three"})
    stage.expect(404, method="PUT")
    stage.expect(404, "/path4", method="DELETE")
    stage.expect("a", "/path5", method="PATCH")
    stage.expect("b", method="PATCH", headers={"version": "four"})


@case("HTTPRouteHeaderMatching")
def test_headers(stage: Stage) -> None:
    stage.apply(
        stage.route(
            to("a", matches=[headers(version="one")]),
            to("b", matches=[headers(version="two")]),
            to("a", matches=[headers(version="two", color="orange")]),
            to("a", matches=[headers(color="blue"), headers(color="green")]),
            to("b", matches=[headers(color="red"), headers(color="yellow")]),
        )
    )
    stage.expect("a", headers={"Version": "one"})
    stage.expect("b", headers={"Version": "two"})
    stage.expect("a", headers={"Version": "two", "Color": "orange"})
    stage.expect("b", headers={"Version": "two", "Color": "blue"})
    stage.expect(404, headers={"Color": "orange"})
    stage.expect(404, headers={"Some-Other-Header": "one"})
    stage.expect("a", headers={"Color": "blue"})
    stage.expect("a", headers={"Color": "green"})
    stage.expect("b", headers={"Color": "red"})
    stage.expect("b", headers={"Color": "yellow"})
    stage.expect(404, headers={"Color": "purple"})


@case("HTTPRouteQueryParamMatching")
def test_query_parameters(stage: Stage) -> None:
    stage.apply(
        stage.route(
            to("a", matches=[query(animal="whale")]),
            to("b", matches=[query(animal="dolphin")]),
            to("c", matches=[query(animal="dolphin", color="blue"), query(ANIMAL="Whale")]),
            to("a", matches=[path("/path1") | query(animal="whale")]),
            to("b", matches=[headers(version="one") | query(animal="whale")]),
            to("c", matches=[path("/path2") | headers(version="two") | query(animal="whale")]),
            to(
                "a",
                matches=[
                    path("/path3") | query(animal="shark"),
                    path("/path4") | headers(version="three") | query(animal="kraken"),
                ],
            ),
            to("a", matches=[path("/path5")]),
            to("b", matches=[query(animal="hydra")]),
            to("c", matches=[headers(version="four")]),
        )
    )
    stage.expect("a", "/?animal=whale")
    stage.expect("b", "/?animal=dolphin")
    stage.expect("c", "/?animal=dolphin&color=blue")
    stage.expect("c", "/?ANIMAL=Whale")
    stage.expect("a", "/?animal=whale&otherparam=irrelevant")
    stage.expect("b", "/?animal=dolphin&color=yellow")
    for target in ("/?color=blue", "/?animal=dog", "/?animal=whaledolphin", "/", "/?animal=shark"):
        stage.expect(404, target)
    stage.expect("a", "/path1?animal=whale")
    stage.expect("b", "/?animal=whale", headers={"version": "one"})
    stage.expect("c", "/path2?animal=whale", headers={"version": "two"})
    stage.expect("a", "/path3?animal=shark")
    stage.expect("a", "/path4?animal=kraken", headers={"version": "three"})
    stage.expect(404, "/path4?animal=kraken")
    stage.expect("a", "/path5?animal=hydra")
    stage.expect("c", "/?animal=hydra", headers={"version": "four"})


@case("HTTPRoutePathMatchOrder")
def test_the_longest_path_wins_whatever_the_order(stage: Stage) -> None:
    stage.apply(
        stage.route(
            to("a", matches=[path("/match", "Exact")]),
            to("b", matches=[path("/match/exact", "Exact")]),
            to("c", matches=[path("/match/exact/one", "Exact")]),
            to("c", matches=[path("/match/")]),
            to("a", matches=[path("/match/prefix/")]),
            to("b", matches=[path("/match/prefix/one")]),
        )
    )
    stage.expect("c", "/match/exact/one")
    stage.expect("b", "/match/exact")
    stage.expect("a", "/match")
    stage.expect("b", "/match/prefix/one/any")
    stage.expect("a", "/match/prefix/any")
    stage.expect("c", "/match/any")
