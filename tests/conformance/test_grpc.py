"""GRPCRoutes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import grpc
import pytest

from .marks import case
from .shares import assert_shares
from .stage import Stage
from .world import Document, World, gateway, http_listener, service, until
from .world import route as any_route

pytestmark = pytest.mark.envoy

ECHO = "conformance.v1.Echo"
UNIMPLEMENTED = grpc.StatusCode.UNIMPLEMENTED


class Grpc:
    """A stage with three gRPC services; HTTP is not in it."""

    def __init__(self, world: World) -> None:
        self.stage = Stage(world)
        namespace = self.stage.namespace
        self.namespace, self.port = namespace, self.stage.port
        self.stage.basis = [self.stage.basis[0]]
        for name in ("a", "b", "c"):
            self.stage.basis += service(namespace, name, world.backends.grpc(self.stage.backend(name)))

    def route(self, *rules: Document, name: str = "route", **parent: str) -> Document:
        return any_route("GRPCRoute", self.namespace, name, [{"name": "same", **parent}], rules)

    def call(self, method: str = "One", authority: str = "", metadata: Mapping[str, str] = {}) -> str | grpc.StatusCode:
        """The Service that answered, having got the method and metadata as they were sent; or the status."""
        options = [("grpc.default_authority", authority)] if authority else []
        with grpc.insecure_channel(f"127.0.0.1:{self.port}", options) as channel:
            try:
                ask: Any = channel.unary_unary(f"/{ECHO}/{method}")
                pairs = [(key.lower(), value) for key, value in metadata.items()]
                answer = json.loads(ask(b"", metadata=pairs, timeout=5))
            except grpc.RpcError as error:
                code: grpc.StatusCode = error.code()
                return code
        assert answer["method"] == f"/{ECHO}/{method}"
        assert dict(pairs).items() <= answer["metadata"].items()
        return str(answer["backend"]).removeprefix(f"{self.namespace}-")

    def expect(self, wanted: str | grpc.StatusCode, method: str = "One", authority: str = "", **metadata: str) -> None:
        def steady() -> bool:
            return all(self.call(method, authority, metadata) == wanted for _ in range(3))

        until(steady, lambda: (wanted, method, authority, metadata, self.call(method, authority, metadata)))


@pytest.fixture
def calls(world: World) -> Iterator[Grpc]:
    calls = Grpc(world)
    yield calls
    world.remove(*calls.stage.files)


def method(name: str) -> Document:
    return {"method": {"service": ECHO, "method": name}}


def headers(**values: str) -> Document:
    return {"headers": [{"name": name, "value": value} for name, value in values.items()]}


def to(*names: str | Document, **rule: object) -> Document:
    references = [name if isinstance(name, dict) else {"name": name, "port": 8080} for name in names]
    return {**rule, "backendRefs": references}


@case("GRPCExactMethodMatching")
def test_methods_by_name(calls: Grpc) -> None:
    calls.stage.apply(calls.route(to("a", matches=[method("One")]), to("b", matches=[method("Two")])))
    calls.expect("a", "One")
    calls.expect("b", "Two")
    calls.expect(UNIMPLEMENTED, "Three")


@case("GRPCRouteHeaderMatching")
def test_metadata(calls: Grpc) -> None:
    calls.stage.apply(
        calls.route(
            to("a", matches=[headers(version="one")]),
            to("b", matches=[headers(version="two")]),
            to("a", matches=[headers(version="two", color="orange")]),
            to("a", matches=[headers(color="blue"), headers(color="green")]),
            to("b", matches=[headers(color="red"), headers(color="yellow")]),
        )
    )
    calls.expect("a", Version="one")
    calls.expect("b", Version="two")
    calls.expect("a", Version="two", Color="orange")
    calls.expect("b", Version="two", Color="blue")
    calls.expect(UNIMPLEMENTED, Color="orange")
    calls.expect(UNIMPLEMENTED, **{"Some-Other-Header": "one"})
    for color, wanted in (("blue", "a"), ("green", "a"), ("red", "b"), ("yellow", "b"), ("purple", UNIMPLEMENTED)):
        calls.expect(wanted, Color=color)


@case("GRPCRouteListenerHostnameMatching")
def test_hosts_of_listeners(calls: Grpc) -> None:
    hosts = ("bar.example", "foo.bar.example", "*.bar.example", "*.foo.example")
    listeners = [http_listener(calls.port, f"l{number}", hostname=host) for number, host in enumerate(hosts)]
    calls.stage.basis[0] = gateway(calls.namespace, "same", *listeners)
    third = calls.route(to("c"), name="c", sectionName="l2")
    third["spec"]["parentRefs"].append({"name": "same", "sectionName": "l3"})
    calls.stage.apply(
        calls.route(to("a"), name="a", sectionName="l0"), calls.route(to("b"), name="b", sectionName="l1"), third
    )
    calls.expect("a", authority="bar.example")
    calls.expect("b", authority="foo.bar.example")
    for host in ("baz.bar.example", "boo.bar.example", "more.labels.bar.example", "more.labels.foo.example"):
        calls.expect("c", authority=host)
    calls.expect(UNIMPLEMENTED, authority="foo.example")
    calls.expect(UNIMPLEMENTED, authority="no.matching.host")


@case("GRPCRouteNamedRule")
def test_rules_with_and_without_a_name(calls: Grpc) -> None:
    calls.stage.apply(calls.route(to("a", name="named", matches=[method("One")]), to("b", matches=[method("Two")])))
    calls.expect("a", "One")
    calls.expect("b", "Two")


@case("GRPCRouteWeight")
def test_weights(calls: Grpc) -> None:
    weights = {"a": 70, "b": 30, "c": 0}
    references = [{"name": name, "port": 8080, "weight": weight} for name, weight in weights.items()]
    calls.stage.apply(calls.route(to(*references)))
    until(lambda: calls.call() in ("a", "b"), calls.call)
    assert_shares(lambda: str(calls.call()), weights)
