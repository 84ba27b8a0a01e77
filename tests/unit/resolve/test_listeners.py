"""Listeners: conflicts, kinds, namespaces, hosts of their own."""

from __future__ import annotations

import pytest
from resolve_world import World, found, gateway, lines, route, served, service, words


@pytest.mark.parametrize(
    ("listeners", "reason"),
    [
        (["{name: a, port: 1, protocol: TCP}", "{name: b, port: 1, protocol: HTTP}"], "ProtocolConflict"),
        (
            ["{name: a, port: 1, protocol: TCP}", "{name: b, port: 1, protocol: TLS, tls: {mode: Passthrough}}"],
            "ProtocolConflict",
        ),
        (
            ["{name: a, port: 1, protocol: HTTP}", "{name: b, port: 1, protocol: TLS, tls: {mode: Passthrough}}"],
            "ProtocolConflict",
        ),
        (
            [
                "{name: a, port: 1, protocol: TLS, hostname: x.test, tls: {mode: Passthrough}}",
                "{name: b, port: 1, protocol: HTTPS, hostname: x.test, tls: {certificateRefs: [{name: c}]}}",
            ],
            "HostnameConflict",
        ),
    ],
)
def test_listeners_that_are_not_distinct_are_all_refused(listeners: list[str], reason: str) -> None:
    world = World(gateway(*listeners, "{name: good, port: 2, protocol: HTTP}"))
    for name in "ab":
        conditions = world.listener(name).conditions
        assert words(found(conditions, "Conflicted")) == ("True", reason)
        assert words(found(conditions, "Accepted")) == ("False", reason)
        assert words(found(conditions, "Programmed")) == ("False", "Invalid")
    assert words(found(world.listener("good").conditions, "Conflicted")) == ("False", "NoConflicts")
    assert words(world.gateway("Accepted")) == ("True", "ListenersNotValid")
    assert words(world.gateway("Programmed")) == ("True", "Programmed")
    assert [socket.port for socket in world.plan().sockets] == [2]
    assert {item.code.id for item in world.said()} >= {"SMP0304"}


def test_a_gateway_without_any_good_listener_is_not_accepted() -> None:
    world = World(gateway("{name: udp, port: 53, protocol: UDP}"))
    listener = world.listener("udp")
    assert listener.supported_kinds == ()
    assert words(found(listener.conditions, "Accepted")) == ("False", "UnsupportedProtocol")
    assert words(world.gateway("Accepted")) == ("False", "ListenersNotValid")
    assert words(world.gateway("Programmed")) == ("False", "Invalid")
    assert not world.resolution.plans
    assert world.said("SMP0305")[0].field_text == "spec.listeners[0].protocol"


def test_terminate_and_passthrough_share_a_port() -> None:
    world = World(
        gateway(
            "{name: a, port: 1, protocol: TLS, hostname: a.test, tls: {mode: Passthrough}}",
            "{name: b, port: 1, protocol: TLS, hostname: b.test, tls: {mode: Terminate, certificateRefs: [{name: c}]}}",
        )
    )
    for name in "ab":
        assert words(found(world.listener(name).conditions, "Conflicted")) == ("False", "NoConflicts")


@pytest.mark.parametrize(
    ("kinds", "supported"), [("[{kind: TCPRoute}]", []), ("[{kind: TCPRoute}, {kind: HTTPRoute}]", ["HTTPRoute"])]
)
def test_kinds_that_the_protocol_cannot_carry(kinds: str, supported: list[str]) -> None:
    world = World(gateway(f"{{name: http, port: 8080, protocol: HTTP, allowedRoutes: {{kinds: {kinds}}}}}"))
    listener = world.listener("http")
    assert [kind for _, kind in listener.supported_kinds] == supported
    assert words(found(listener.conditions, "ResolvedRefs")) == ("False", "InvalidRouteKinds")
    assert words(world.gateway("ResolvedRefs")) == ("False", "ListenersNotResolved")
    assert words(world.gateway("Accepted")) == ("True", "Accepted")


def test_a_listener_may_allow_fewer_kinds_than_it_could() -> None:
    world = World(
        gateway("{name: http, port: 8080, protocol: HTTP, allowedRoutes: {kinds: [{kind: GRPCRoute}]}}"),
        route("shop", "/"),
    )
    assert words(world.route("shop", "Accepted")) == ("False", "NotAllowedByListeners")
    assert world.listener("http").attached_routes == 0
    assert world.host().entries == ()


@pytest.mark.parametrize(
    ("namespaces", "labels", "allowed"),
    [
        ("{from: Same}", "", False),
        ("{from: All}", "", True),
        ("{from: Selector, selector: {matchLabels: {team: red}}}", "team: red", True),
        ("{from: Selector, selector: {matchLabels: {team: red}}}", "team: blue", False),
        ("{from: Selector, selector: {matchLabels: {team: red}}}", "", False),
        ("{from: Selector, selector: {matchLabels: {kubernetes.io/metadata.name: far}}}", "", True),
        ("{from: Selector, selector: {matchExpressions: [{key: team, operator: Exists}]}}", "team: red", True),
    ],
)
def test_namespaces_whose_routes_may_attach(namespaces: str, labels: str, allowed: bool) -> None:
    world = World(
        gateway(f"{{name: http, port: 8080, protocol: HTTP, allowedRoutes: {{namespaces: {namespaces}}}}}"),
        route("shop", "/", namespace="far"),
        service("shop", namespace="far"),
    )
    if labels:
        world.apply(f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: far, labels: {{{labels}}}}}")
    accepted = world.route("shop", "Accepted", namespace="far")
    assert words(accepted) == (("True", "Accepted") if allowed else ("False", "NotAllowedByListeners"))
    assert world.listener("http").attached_routes == int(allowed)


ISOLATED = (
    "{name: all, port: 8080, protocol: HTTP}",
    '{name: wild, port: 8080, protocol: HTTP, hostname: "*.example.com"}',
    '{name: foo, port: 8080, protocol: HTTP, hostname: "*.foo.example.com"}',
    "{name: abc, port: 8080, protocol: HTTP, hostname: abc.foo.example.com}",
)


def test_a_request_meets_the_routes_of_the_most_specific_listener_only() -> None:
    routes = [route(name, f"/{name}", name) for name in ("all", "wild", "foo", "abc")]
    world = World(gateway(*ISOLATED), service("shop"), *routes)
    assert served(world) == {
        "*": ["/all"],
        "*.example.com": ["/wild"],
        "*.foo.example.com": ["/foo"],
        "abc.foo.example.com": ["/abc"],
    }


def test_route_hosts_do_not_leak_into_another_listeners_hosts() -> None:
    hosts = '[bar.com, "*.example.com", "*.foo.example.com", abc.foo.example.com]'
    routes = [route(name, f"/{name}", name, hosts) for name in ("all", "wild", "foo", "abc")]
    world = World(gateway(*ISOLATED), service("shop"), *routes)
    assert served(world) == {
        "*": [],
        "bar.com": ["/all"],
        "*.example.com": ["/wild"],
        "*.foo.example.com": ["/foo"],
        "abc.foo.example.com": ["/abc"],
    }


def test_a_listener_without_routes_keeps_its_hosts_to_itself() -> None:
    world = World(gateway(*ISOLATED), service("shop"), route("all", "/", "all"))
    assert served(world) == {"*": ["/"], "*.example.com": [], "*.foo.example.com": [], "abc.foo.example.com": []}


def test_a_new_listener_takes_its_hosts_from_the_wider_one() -> None:
    world = World(gateway(ISOLATED[0]), service("shop"), route("all", "/all", "all", "[abc.foo.example.com]"))
    assert served(world) == {"*": [], "abc.foo.example.com": ["/all"]}
    world.apply(gateway(ISOLATED[0], ISOLATED[3]))
    assert served(world) == {"*": [], "abc.foo.example.com": []}
    world.apply(gateway(ISOLATED[0]))
    assert served(world) == {"*": [], "abc.foo.example.com": ["/all"]}


def test_one_route_on_listeners_of_two_ports_shares_its_actions() -> None:
    world = World(
        gateway("{name: a, port: 8080, protocol: HTTP}", "{name: b, port: 8081, protocol: HTTP}"),
        service("shop"),
        route("shop", "/"),
    )
    one, other = world.host(), world.host(application="http/8081")
    assert lines(one) == lines(other) == [("prefix /", "service/default/shop/80")]
    assert one.entries[0].action is other.entries[0].action
    assert [world.listener(name).attached_routes for name in "ab"] == [1, 1]


# ---- Gateways as a whole


def test_the_own_class_needs_no_document_and_others_are_left_alone() -> None:
    world = World(
        """
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: foreign}
spec: {controllerName: example.com/other}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: mine}
spec: {controllerName: sampan.dev/gateway-controller}
""",
        gateway("{name: http, port: 8080, protocol: HTTP}", name="theirs").replace("Name: sampan", "Name: foreign"),
        gateway("{name: http, port: 8080, protocol: HTTP}", name="ours").replace("Name: sampan", "Name: mine"),
        route("shop", "/", parent="theirs"),
    )
    assert [view.gateway.name for view in world.resolution.plans] == ["ours"]
    assert {ref.name for ref in world.resolution.statuses} == {"mine", "ours"}
    status = world.status("GatewayClass", "mine", "")
    assert words(found(status.conditions, "Accepted")) == ("True", "Accepted")
    assert words(found(status.conditions, "SupportedVersion")) == ("True", "SupportedVersion")
    features = dict(status.extra)["supportedFeatures"]
    assert {"name": "HTTPRoute"} in features
    assert {"name": "ListenerSet"} not in features
    assert not world.said()


def test_a_class_that_does_not_exist_is_a_mistake() -> None:
    world = World(gateway("{name: http, port: 8080, protocol: HTTP}").replace("Name: sampan", "Name: sampn"))
    assert not world.resolution.plans
    assert not world.resolution.statuses
    (said,) = world.said()
    assert (said.code.id, said.field_text) == ("SMP0301", "spec.gatewayClassName")
    assert "sampan" in said.hint


def test_parameters_are_refused() -> None:
    world = World(
        """
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: sampan}
spec:
  controllerName: sampan.dev/gateway-controller
  parametersRef: {group: example.com, kind: Thing, name: x}
""",
        gateway("{name: http, port: 8080, protocol: HTTP}"),
    )
    assert words(found(world.status("GatewayClass", "sampan", "").conditions, "Accepted")) == (
        "False",
        "InvalidParameters",
    )
    assert words(world.gateway("Accepted")) == ("Unknown", "Pending")
    assert not world.resolution.plans
    extra = "  infrastructure: {parametersRef: {group: example.com, kind: Thing, name: x}}"
    world = World(gateway("{name: http, port: 8080, protocol: HTTP}", extra=extra))
    assert words(world.gateway("Accepted")) == ("False", "InvalidParameters")
    assert not world.resolution.plans


def test_addresses() -> None:
    listener = "{name: http, port: 8080, protocol: HTTP}"
    world = World(gateway(listener, extra="  addresses: [{value: 127.0.0.2}, {value: '::1'}]"))
    assert world.plan().sockets[0].addresses == ("127.0.0.2", "::1")
    assert dict(world.status("Gateway", "web").extra)["addresses"][0] == {"type": "IPAddress", "value": "127.0.0.2"}
    world.apply(gateway(listener, extra="  addresses: [{type: IPAddress}]"))
    assert world.plan().sockets[0].addresses == ()
    world.apply(gateway(listener, extra="  addresses: [{type: Hostname, value: shop.test}]"))
    assert words(world.gateway("Accepted")) == ("False", "UnsupportedAddress")
    assert not world.resolution.plans


def test_a_port_belongs_to_the_older_gateway() -> None:
    one = gateway("{name: http, port: 8080, protocol: HTTP}", name="one", created="2025-01-02T00:00:00Z")
    two = gateway(
        "{name: http, port: 8080, protocol: HTTP}",
        "{name: own, port: 8081, protocol: HTTP}",
        name="two",
        created="2025-01-01T00:00:00Z",
    )
    world = World(one, two)
    assert [socket.port for socket in world.plan("two").sockets] == [8080, 8081]
    assert [view.gateway.name for view in world.resolution.plans] == ["two"]
    assert words(found(world.listener("http", "one").conditions, "Accepted")) == ("False", "PortUnavailable")
    assert words(world.gateway("Programmed", "one")) == ("False", "AddressNotUsable")
    (said,) = world.said()
    assert (said.code.id, said.object and said.object.name) == ("SMP0307", "one")
    assert "Gateway/default/two" in said.reason
    world.delete("Gateway", "two")
    assert [socket.port for socket in world.plan("one").sockets] == [8080]
    assert words(world.gateway("Programmed", "one")) == ("True", "Programmed")


def test_gateways_on_different_addresses_share_a_port_number() -> None:
    listener = "{name: http, port: 8080, protocol: HTTP}"
    world = World(
        gateway(listener, name="one", extra="  addresses: [{value: 127.0.0.1}]"),
        gateway(listener, name="two", extra="  addresses: [{value: 127.0.0.2}]"),
    )
    assert [view.gateway.name for view in world.resolution.plans] == ["one", "two"]
    world.apply(gateway(listener, name="three", extra="  addresses: [{value: 0.0.0.0}]"))
    assert [view.gateway.name for view in world.resolution.plans] == ["one", "two"]
