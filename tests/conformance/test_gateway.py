"""Gateways and GatewayClasses: listeners, attached routes, addresses."""

from __future__ import annotations

import pytest

from .certificates import authority, client_context, tls_secret
from .marks import case, failing
from .settled import SERVING, Listener, until_listeners
from .stage import Stage
from .world import Document, document, free_port, gateway, http_listener, http_route, route, to, until

pytestmark = pytest.mark.envoy


@case("GatewayClassObservedGenerationBump")
def test_a_class_says_which_generation_its_conditions_are_of(stage: Stage) -> None:
    name = f"class-{stage.namespace}"

    def class_(words: str) -> Document:
        spec = {"controllerName": "sampan.dev/gateway-controller", "description": words}
        return document("GatewayClass", "", name, spec)

    def pick(status: Document) -> list[list[Document]]:
        return [status["conditions"]] if status.get("conditions") else []

    for generation, words in ((1, "old"), (2, "new")):
        stage.apply(class_(words))
        stage.world.until_generation("GatewayClass", "", name, generation)
        stage.world.until_condition("GatewayClass", "", name, pick, ("Accepted", "True", "Accepted"))


@case("GatewayObservedGenerationBump")
def test_a_gateway_says_which_generation_its_conditions_are_of(stage: Stage) -> None:
    port = free_port()
    one = http_listener(port, "one", hostname="bar.example", routes="All")
    two = http_listener(port, "two", hostname="foo.example", routes="All")
    for generation, listeners in ((1, [one]), (2, [one, two])):
        stage.apply(gateway(stage.namespace, "changing", *listeners))
        stage.world.until_generation("Gateway", stage.namespace, "changing", generation)


@case("GatewayModifyListeners")
def test_listeners_come_and_go(stage: Stage) -> None:
    secure_port, port = free_port(), free_port()
    stage.basis.append(tls_secret(stage.namespace, "certificate", authority().leaf("secure.example")))
    tls = {"certificateRefs": [{"name": "certificate"}]}
    secure = http_listener(secure_port, "https", protocol="HTTPS", hostname="secure.example", routes="All", tls=tls)
    plain = http_listener(port, "http", hostname="data.example", routes="All")
    found = http_route(stage.namespace, "route", "changing", to("a"))
    context = client_context(authority())

    def change(generation: int, *listeners: Document) -> None:
        stage.apply(gateway(stage.namespace, "changing", *listeners), found)
        stage.world.until_generation("Gateway", stage.namespace, "changing", generation)
        expected = {listener["name"]: Listener(1, ["HTTPRoute"], SERVING) for listener in listeners}
        until_listeners(stage.world, stage.namespace, "changing", expected)

    change(1, secure)
    stage.expect("a", "/", "secure.example", port=secure_port, tls=context)
    stage.expect(0, "/", "data.example", port=port)
    change(2, secure, plain)
    stage.expect("a", "/", "secure.example", port=secure_port, tls=context)
    stage.expect("a", "/", "data.example", port=port)
    change(3, plain)
    stage.expect("a", "/", "data.example", port=port)
    stage.expect(0, "/", "secure.example", port=secure_port, tls=context)


@case("GatewayWithAttachedRoutes")
def test_attached_routes_are_counted(stage: Stage) -> None:
    """The label in the selector is nobody's to write: every namespace has it of itself."""
    label = {"kubernetes.io/metadata.name": stage.namespace}
    selector = {
        "namespaces": {"from": "Selector", "selector": {"matchLabels": label}},
        "kinds": [{"kind": "HTTPRoute"}],
    }
    broken = {"certificateRefs": [{"name": "does-not-exist"}]}
    good = [
        gateway(stage.namespace, "one", http_listener(free_port(), allowedRoutes=selector)),
        gateway(stage.namespace, "two", http_listener(free_port(), hostname="foo.example.com", allowedRoutes=selector)),
        http_route(stage.namespace, "r1", "one", to("a")),
        http_route(stage.namespace, "r2", "two", to("a")),
        http_route(stage.namespace, "r3", "two", to("a")),
    ]
    lost = http_listener(free_port(), "tls", protocol="HTTPS", tls=broken, allowedRoutes=selector)
    stage.write(
        *good,
        gateway(stage.namespace, "broken", lost),
        http_route(stage.namespace, "other-host", "two", to("a"), hostnames=["other.example.com"]),
        route("HTTPRoute", stage.namespace, "r4", [{"name": "broken", "sectionName": "tls"}], [to("does-not-exist")]),
    )
    stage.settled(*good)
    until_listeners(stage.world, stage.namespace, "one", {"http": Listener(1, ["HTTPRoute"], SERVING)})
    until_listeners(stage.world, stage.namespace, "two", {"http": Listener(2, ["HTTPRoute"], SERVING)})
    reason = "NoMatchingListenerHostname"
    stage.world.until_route("HTTPRoute", stage.namespace, "other-host", "Accepted", "False", reason)
    unusable = Listener(1, ["HTTPRoute"], [("Programmed", "False", ()), ("ResolvedRefs", "False", ())])
    until_listeners(stage.world, stage.namespace, "broken", {"tls": unusable})
    stage.world.until_route("HTTPRoute", stage.namespace, "r4", "ResolvedRefs", "False")


@case("GatewayWithAttachedRoutesWithPort8080")
def test_a_route_is_attached_to_the_section_it_names(stage: Stage) -> None:
    listeners = [http_listener(free_port(), name) for name in ("first", "second")]
    parents = [{"name": "two-ports", "sectionName": "second"}]
    stage.apply(
        gateway(stage.namespace, "two-ports", *listeners),
        route("HTTPRoute", stage.namespace, "route", parents, [to("a")]),
    )
    expected = {name: Listener(count, ["HTTPRoute"], SERVING) for name, count in (("first", 0), ("second", 1))}
    until_listeners(stage.world, stage.namespace, "two-ports", expected)


@case("GatewayListenerUnsupportedProtocol")
def test_a_protocol_that_there_is_not(stage: Stage) -> None:
    odd = {"name": "invalid", "port": free_port(), "protocol": "INVALID"}
    stage.write(
        gateway(stage.namespace, "only-odd", odd),
        gateway(stage.namespace, "both", http_listener(free_port()), odd),
    )
    invalid = Listener(0, (), [("Accepted", "False", "UnsupportedProtocol")])
    valid = Listener(0, ["HTTPRoute"], [("Accepted", "True", "Accepted")])
    for name, status in (("only-odd", "False"), ("both", "True")):
        stage.world.until_gateway(stage.namespace, name, "Accepted", status, "ListenersNotValid")
    until_listeners(stage.world, stage.namespace, "only-odd", {"invalid": invalid})
    until_listeners(stage.world, stage.namespace, "both", {"http": valid, "invalid": invalid})


@case("GatewayInvalidParametersRef")
def test_parameters_of_an_unknown_kind(stage: Stage) -> None:
    reference = {"group": "invalid.example", "kind": "InvalidParameters", "name": "invalid"}
    infrastructure = {"parametersRef": reference}
    stage.write(gateway(stage.namespace, "odd", http_listener(free_port()), infrastructure=infrastructure))
    stage.world.until_gateway(stage.namespace, "odd", "Accepted", "False", "InvalidParameters")


@case("GatewayInvalidRouteKind")
def test_route_kinds_that_there_are_not(stage: Stage) -> None:
    both: list[tuple[str, list[str], list[str]]] = [
        ("only", ["InvalidRoute"], []),
        ("both", ["InvalidRoute", "HTTPRoute"], ["HTTPRoute"]),
    ]
    for name, kinds, supported in both:
        allowed = {"namespaces": {"from": "All"}, "kinds": [{"kind": kind} for kind in kinds]}
        stage.write(gateway(stage.namespace, name, http_listener(free_port(), allowedRoutes=allowed)))
        invalid = Listener(0, supported, [("ResolvedRefs", "False", "InvalidRouteKinds")])
        until_listeners(stage.world, stage.namespace, name, {"http": invalid})


def labelled(stage: Stage) -> Document:
    """The infrastructure of a Gateway `labelled` that is accepted with it."""
    infrastructure = {"labels": {"key2": "value2"}, "annotations": {"key1": "value1"}}
    stage.apply(gateway(stage.namespace, "labelled", http_listener(free_port()), infrastructure=infrastructure))
    stage.world.until_gateway(stage.namespace, "labelled", "Accepted", "True")
    return infrastructure


def test_a_gateway_with_labels_for_its_infrastructure_is_accepted(stage: Stage) -> None:
    """What of the next case can be asked here; a case that is marked as failing would hide it."""
    labelled(stage)


@failing("there are no Pods, Services or ServiceAccounts here to carry the labels")
@case("GatewayInfrastructure")
def test_labels_of_the_infrastructure(stage: Stage) -> None:
    infrastructure = labelled(stage)
    (proxy,) = [item for item in stage.world.api.proxies() if item["proxy"] == f"{stage.namespace}/labelled"]
    assert {key: proxy.get(key) for key in infrastructure} == infrastructure


@case("GatewayOptionalAddressValue")
def test_an_address_may_leave_its_value_open(stage: Stage) -> None:
    stage.apply(gateway(stage.namespace, "open", http_listener(free_port()), addresses=[{"type": "IPAddress"}]))
    addresses = stage.world.status("Gateway", stage.namespace, "open")["addresses"]
    assert [item["type"] for item in addresses] == ["IPAddress"] * len(addresses)


@case("GatewayStaticAddresses")
def test_addresses_that_cannot_be_used(stage: Stage) -> None:
    port = free_port()
    odd: Document = {"type": "example.com/odd", "value": "an odd address"}
    unusable = {"type": "IPAddress", "value": "192.0.2.1"}
    usable = {"type": "IPAddress", "value": "127.0.0.1"}

    def with_addresses(*addresses: Document) -> None:
        stage.write(gateway(stage.namespace, "static", http_listener(port), addresses=list(addresses)))

    with_addresses(odd, unusable, usable)
    stage.world.until_gateway(stage.namespace, "static", "Accepted", "False", "UnsupportedAddress")
    with_addresses(unusable, usable)
    stage.world.until_gateway(stage.namespace, "static", "Accepted", "True", "Accepted")
    stage.world.until_gateway(stage.namespace, "static", "Programmed", "False", "AddressNotUsable")
    with_addresses(usable)
    stage.world.until_gateway(stage.namespace, "static", "Accepted", "True", "Accepted")
    stage.world.until_gateway(stage.namespace, "static", "Programmed", "True", "Programmed")
    until_listeners(stage.world, stage.namespace, "static", {"http": Listener(0, ["HTTPRoute"], SERVING)})
    until(lambda: stage.world.status("Gateway", stage.namespace, "static")["addresses"] == [usable])


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
            more = {"hostnames": [asked["any"], *list(hosts.values())[1:]]} if name == "by-both" else {}
            parents = [{"name": name, "sectionName": listener}]
            documents.append(route("HTTPRoute", stage.namespace, f"{name}-{listener}", parents, [rule], **more))
    stage.apply(*documents)
    for port in ports.values():
        for owner, host in asked.items():
            for listener in hosts:
                stage.expect("a" if listener == owner else 404, f"/{listener}", host, port=port)
