"""Gateways and GatewayClasses: listeners, attached routes, addresses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .marks import case, failing
from .stage import Stage
from .world import Document, document, free_port, gateway, http_listener, http_route, route, to, until

pytestmark = pytest.mark.envoy


def listeners_of(stage: Stage, name: str) -> dict[str, Document]:
    found = stage.world.status("Gateway", stage.namespace, name).get("listeners", [])
    return {item["name"]: item for item in found}


def conditions(item: Document) -> dict[str, str]:
    return {found["type"]: found["status"] for found in item["conditions"]}


def until_listeners(stage: Stage, name: str, **attached: int) -> None:
    """Exactly these listeners, each accepted and resolved, for HTTPRoutes (GRPCRoutes may be there too)."""

    def right() -> bool:
        found = listeners_of(stage, name)
        return found.keys() == attached.keys() and all(
            item["attachedRoutes"] == attached[key]
            and conditions(item)["Accepted"] == conditions(item)["ResolvedRefs"] == "True"
            and "HTTPRoute" in [kind["kind"] for kind in item["supportedKinds"]]
            for key, item in found.items()
        )

    until(right, lambda: listeners_of(stage, name))


def latest(look: Callable[[], Document]) -> int:
    """Waits until every condition is of the object's generation; gives that."""
    found: list[int] = []

    def same() -> bool:
        item = look()
        status = item.get("status", {})
        every = [*status.get("conditions", [])]
        every += [condition for listener in status.get("listeners", []) for condition in listener["conditions"]]
        found[:] = [item["metadata"]["generation"]]
        return bool(every) and {condition["observedGeneration"] for condition in every} == set(found)

    until(same, look)
    return found[0]


@case("GatewayClassObservedGenerationBump")
def test_a_class_says_which_generation_its_conditions_are_of(stage: Stage) -> None:
    name = f"class-{stage.namespace}"

    def class_(words: str) -> Document:
        spec = {"controllerName": "sampan.dev/gateway-controller", "description": words}
        return document("GatewayClass", "", name, spec)

    def look() -> Document:
        return stage.world.object("GatewayClass", "", name)

    stage.apply(class_("old"))
    assert latest(look) == 1
    stage.apply(class_("new"))
    stage.world.until_condition(lambda: look()["status"]["conditions"], "Accepted", "True")
    until(lambda: latest(look) == 2)


@case("GatewayObservedGenerationBump")
def test_a_gateway_says_which_generation_its_conditions_are_of(stage: Stage) -> None:
    port = free_port()

    def look() -> Document:
        return stage.world.object("Gateway", stage.namespace, "changing")

    one = http_listener(port, "one", hostname="bar.example", routes="All")
    stage.apply(gateway(stage.namespace, "changing", one))
    assert latest(look) == 1
    two = http_listener(port, "two", hostname="foo.example", routes="All")
    stage.apply(gateway(stage.namespace, "changing", one, two))
    until(lambda: latest(look) == 2)


@case("GatewayModifyListeners")
def test_listeners_come_and_go(stage: Stage) -> None:
    port = free_port()
    one = http_listener(port, "one", hostname="one.example")
    two = http_listener(port, "two", hostname="two.example")
    found = http_route(stage.namespace, "route", "changing", to("a"))
    stage.apply(gateway(stage.namespace, "changing", one), found)
    until_listeners(stage, "changing", one=1)
    stage.expect("a", "/", "one.example", port=port)
    stage.expect(404, "/", "two.example", port=port)
    stage.apply(gateway(stage.namespace, "changing", one, two), found)
    until_listeners(stage, "changing", one=1, two=1)
    latest(lambda: stage.world.object("Gateway", stage.namespace, "changing"))
    stage.expect("a", "/", "two.example", port=port)
    stage.apply(gateway(stage.namespace, "changing", two), found)
    until_listeners(stage, "changing", two=1)
    latest(lambda: stage.world.object("Gateway", stage.namespace, "changing"))
    stage.expect(404, "/", "one.example", port=port)


@case("GatewayWithAttachedRoutes")
def test_attached_routes_are_counted(stage: Stage) -> None:
    label = {"case": stage.namespace}
    about = {"name": stage.namespace, "labels": label}
    stage.world.apply(stage.namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": about})
    selector = {
        "namespaces": {"from": "Selector", "selector": {"matchLabels": label}},
        "kinds": [{"kind": "HTTPRoute"}],
    }
    broken = {"certificateRefs": [{"name": "does-not-exist"}]}
    stage.apply(
        gateway(stage.namespace, "one", http_listener(free_port(), allowedRoutes=selector)),
        gateway(stage.namespace, "two", http_listener(free_port(), hostname="foo.example.com", allowedRoutes=selector)),
        gateway(stage.namespace, "broken", http_listener(free_port(), "tls", protocol="HTTPS", tls=broken)),
        http_route(stage.namespace, "r1", "one", to("a")),
        http_route(stage.namespace, "r2", "two", to("a")),
        http_route(stage.namespace, "r3", "two", to("a")),
        http_route(stage.namespace, "other-host", "two", to("a"), hostnames=["other.example.com"]),
        route("HTTPRoute", stage.namespace, "r4", [{"name": "broken", "sectionName": "tls"}], [to("does-not-exist")]),
    )
    until_listeners(stage, "one", http=1)
    until_listeners(stage, "two", http=2)
    stage.world.until_route(
        "HTTPRoute", stage.namespace, "other-host", "Accepted", "False", "NoMatchingListenerHostname"
    )
    stage.world.until_gateway(stage.namespace, "broken", "Programmed", "False", listener="tls")
    stage.world.until_gateway(stage.namespace, "broken", "ResolvedRefs", "False", listener="tls")
    assert listeners_of(stage, "broken")["tls"]["attachedRoutes"] == 1
    stage.world.until_route("HTTPRoute", stage.namespace, "r4", "ResolvedRefs", "False")


@case("GatewayWithAttachedRoutesWithPort8080")
def test_a_route_is_attached_to_the_section_it_names(stage: Stage) -> None:
    listeners = [http_listener(free_port(), name) for name in ("first", "second")]
    parents = [{"name": "two-ports", "sectionName": "second"}]
    stage.apply(
        gateway(stage.namespace, "two-ports", *listeners),
        route("HTTPRoute", stage.namespace, "route", parents, [to("a")]),
    )
    until_listeners(stage, "two-ports", first=0, second=1)


@case("GatewayListenerUnsupportedProtocol")
def test_a_protocol_that_there_is_not(stage: Stage) -> None:
    odd = {"name": "invalid", "port": free_port(), "protocol": "INVALID"}
    stage.apply(
        gateway(stage.namespace, "only-odd", odd),
        gateway(stage.namespace, "both", http_listener(free_port()), odd),
    )
    for name, status in (("only-odd", "False"), ("both", "True")):
        stage.world.until_gateway(stage.namespace, name, "Accepted", status, "ListenersNotValid")
        stage.world.until_gateway(stage.namespace, name, "Accepted", "False", "UnsupportedProtocol", listener="invalid")
        item = listeners_of(stage, name)["invalid"]
        assert (item["supportedKinds"], item["attachedRoutes"]) == ([], 0)
        latest(lambda name=name: stage.world.object("Gateway", stage.namespace, name))
    stage.world.until_gateway(stage.namespace, "both", "Accepted", "True", "Accepted", listener="http")
    assert listeners_of(stage, "both")["http"]["attachedRoutes"] == 0


@case("GatewayInvalidParametersRef")
def test_parameters_of_an_unknown_kind(stage: Stage) -> None:
    reference = {"group": "invalid.example", "kind": "InvalidParameters", "name": "invalid"}
    infrastructure = {"parametersRef": reference}
    stage.apply(gateway(stage.namespace, "odd", http_listener(free_port()), infrastructure=infrastructure))
    stage.world.until_gateway(stage.namespace, "odd", "Accepted", "False", "InvalidParameters")
    latest(lambda: stage.world.object("Gateway", stage.namespace, "odd"))


@case("GatewayInvalidRouteKind")
def test_route_kinds_that_there_are_not(stage: Stage) -> None:
    for name, kinds, supported in (
        ("only", ["InvalidRoute"], []),
        ("both", ["InvalidRoute", "HTTPRoute"], ["HTTPRoute"]),
    ):
        allowed = {"namespaces": {"from": "All"}, "kinds": [{"kind": kind} for kind in kinds]}
        stage.apply(gateway(stage.namespace, name, http_listener(free_port(), allowedRoutes=allowed)))
        stage.world.until_gateway(stage.namespace, name, "ResolvedRefs", "False", "InvalidRouteKinds", listener="http")
        item = listeners_of(stage, name)["http"]
        assert [kind["kind"] for kind in item["supportedKinds"]] == supported
        assert item["attachedRoutes"] == 0


@failing("there are no Pods, Services or ServiceAccounts here to carry the labels")
@case("GatewayInfrastructure")
def test_labels_of_the_infrastructure(stage: Stage) -> None:
    infrastructure = {"labels": {"key2": "value2"}, "annotations": {"key1": "value1"}}
    stage.apply(gateway(stage.namespace, "labelled", http_listener(free_port()), infrastructure=infrastructure))
    stage.world.until_gateway(stage.namespace, "labelled", "Accepted", "True")
    (proxy,) = [item for item in stage.world.api.proxies() if item["proxy"] == f"{stage.namespace}/labelled"]
    assert proxy["labels"] == infrastructure["labels"]


@case("GatewayOptionalAddressValue")
def test_an_address_may_leave_its_value_open(stage: Stage) -> None:
    stage.apply(gateway(stage.namespace, "open", http_listener(free_port()), addresses=[{"type": "IPAddress"}]))
    latest(lambda: stage.world.object("Gateway", stage.namespace, "open"))
    stage.world.until_gateway(stage.namespace, "open", "Programmed", "True", "Programmed")
    assert stage.world.status("Gateway", stage.namespace, "open")["addresses"]


@case("GatewayStaticAddresses")
def test_addresses_that_cannot_be_used(stage: Stage) -> None:
    port = free_port()
    odd: Document = {"type": "example.com/odd", "value": "an odd address"}
    unusable, usable = {"value": "192.0.2.1"}, {"value": "127.0.0.1"}

    def with_addresses(*addresses: Any) -> None:
        stage.apply(gateway(stage.namespace, "static", http_listener(port), addresses=list(addresses)))

    with_addresses(odd, unusable, usable)
    stage.world.until_gateway(stage.namespace, "static", "Accepted", "False", "UnsupportedAddress")
    with_addresses(unusable, usable)
    stage.world.until_gateway(stage.namespace, "static", "Accepted", "True", "Accepted")
    stage.world.until_gateway(stage.namespace, "static", "Programmed", "False", "AddressNotUsable")
    latest(lambda: stage.world.object("Gateway", stage.namespace, "static"))
    with_addresses(usable)
    stage.world.until_gateway(stage.namespace, "static", "Accepted", "True", "Accepted")
    stage.world.until_gateway(stage.namespace, "static", "Programmed", "True", "Programmed")
    until_listeners(stage, "static", http=0)
    addresses = stage.world.status("Gateway", stage.namespace, "static")["addresses"]
    assert [item["value"] for item in addresses] == ["127.0.0.1"]


@case("GatewayHTTPListenerIsolation")
def test_a_request_is_of_one_listener_alone(stage: Stage) -> None:
    hosts = {"any": "", "wide": "*.example.com", "narrow": "*.foo.example.com", "exact": "abc.foo.example.com"}
    asked = {
        "any": "bar.com",
        "wide": "bar.example.com",
        "narrow": "bar.foo.example.com",
        "exact": "abc.foo.example.com",
    }
    ports = {"by-listener": free_port(), "by-both": free_port()}
    documents: list[Document] = []
    for name, port in ports.items():
        listeners = [
            http_listener(port, listener, routes="All", **({"hostname": host} if host else {}))
            for listener, host in hosts.items()
        ]
        documents.append(gateway(stage.namespace, name, *listeners))
        for listener in hosts:
            rule = to("a", matches=[{"path": {"type": "PathPrefix", "value": f"/{listener}"}}])
            # With hosts of its own the route of a listener asks for what all listeners could serve.
            more = {"hostnames": list(asked.values())} if name == "by-both" else {}
            parents = [{"name": name, "sectionName": listener}]
            documents.append(route("HTTPRoute", stage.namespace, f"{name}-{listener}", parents, [rule], **more))
    stage.apply(*documents)
    for name, port in ports.items():
        for listener in hosts:
            stage.world.until_route("HTTPRoute", stage.namespace, f"{name}-{listener}", "ResolvedRefs", "True")
        for owner, host in asked.items():
            for listener in hosts:
                stage.expect("a" if listener == owner else 404, f"/{listener}", host, port=port)
