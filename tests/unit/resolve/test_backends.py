"""Backend references: what they lead to, what is answered where they lead nowhere."""

from __future__ import annotations

import pytest
from resolve_world import GATEWAY, World, lines, service, targets, words

from sampan.model.plan import Respond


def http(rule: str, namespace: str = "default") -> str:
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: shop, namespace: {namespace}}}
spec:
  parentRefs: [{{name: web, namespace: default}}]
  rules:
  - {rule}
"""


def grpc(rule: str) -> str:
    return http(rule).replace("HTTPRoute", "GRPCRoute")


def shares(world: World) -> list[tuple[int, str]]:
    return [(share.weight, targets([share])) for share in world.host().entries[0].action.shares]


@pytest.mark.parametrize(
    ("reference", "reason", "code", "field", "hint"),
    [
        ("{name: shopp, port: 80}", "BackendNotFound", "SMP0331", "name", "did you mean 'shop'?"),
        ("{name: shop, port: 81}", "BackendNotFound", "SMP0311", "port", "its ports: 80"),
        (
            "{kind: Unknown, name: shop, port: 80}",
            "InvalidKind",
            "SMP0312",
            "kind",
            "use a Service, or a Backend of group sampan.dev",
        ),
        (
            "{kind: Backend, name: shop, port: 80}",
            "InvalidKind",
            "SMP0312",
            "kind",
            "a Backend is of group 'sampan.dev'",
        ),
        (
            "{name: far, namespace: far, port: 80}",
            "RefNotPermitted",
            "SMP0310",
            "namespace",
            "add a ReferenceGrant to namespace 'far'",
        ),
        ("{name: away, port: 80}", "BackendNotFound", "SMP0331", "name", "there is one in namespace 'far'"),
        ("{name: outside, port: 80}", "InvalidKind", "SMP0312", "name", "use a Backend with 'type: ExternalHostname'"),
        ("{name: secure, port: 80}", "UnsupportedProtocol", "SMP0322", "port", "see its appProtocol"),
        ("{name: database, port: 80}", "UnsupportedProtocol", "SMP0322", "port", "see its appProtocol"),
    ],
)
def test_a_reference_that_leads_nowhere_gets_500_for_its_share(
    reference: str, reason: str, code: str, field: str, hint: str
) -> None:
    good = "{name: shop, port: 80, weight: 3}"
    world = World(
        GATEWAY,
        service("shop"),
        service("far", namespace="far"),
        service("away", namespace="far"),
        service("secure", app_protocol="https"),
        service("database", app_protocol="mysql"),
        "apiVersion: v1\nkind: Service\nmetadata: {name: outside}\nspec: {type: ExternalName, externalName: x.test}",
        http(f"backendRefs: [{good}, {reference}]"),
    )
    assert shares(world) == [(3, "service/default/shop/80"), (1, "500")]
    assert words(world.route("shop", "ResolvedRefs")) == ("False", reason)
    assert words(world.route("shop", "Accepted")) == ("True", "Accepted")
    (said,) = world.said()
    assert (said.code.id, said.field_text, said.hint) == (code, f"spec.rules[0].backendRefs[1].{field}", hint)
    assert list(world.plan().upstreams) == ["service/default/shop/80"]
    assert world.listener("http").attached_routes == 1


def test_a_service_that_comes_heals_the_route() -> None:
    world = World(GATEWAY, http("backendRefs: [{name: shop, port: 80}]"))
    assert shares(world) == [(1, "500")]
    world.apply(service("shop"))
    assert shares(world) == [(1, "service/default/shop/80")]
    assert words(world.route("shop", "ResolvedRefs")) == ("True", "ResolvedRefs")
    assert not world.said()
    world.delete("Service", "shop", group="")
    assert shares(world) == [(1, "500")]
    assert not world.plan().upstreams


@pytest.mark.parametrize(
    "rule", ["matches: [{path: {value: /}}]", "backendRefs: []", "backendRefs: [{name: shop, port: 80, weight: 0}]"]
)
def test_a_rule_without_a_share_answers_500(rule: str) -> None:
    world = World(GATEWAY, service("shop"), http(rule))
    assert shares(world) == [(1, "500")]
    assert words(world.route("shop", "ResolvedRefs")) == ("True", "ResolvedRefs")
    assert not world.said()


def test_weight_zero_has_no_share() -> None:
    world = World(
        GATEWAY, service("a"), service("b"), http("backendRefs: [{name: a, port: 80}, {name: b, port: 80, weight: 0}]")
    )
    assert shares(world) == [(1, "service/default/a/80")]


def test_grpc_gets_unavailable_which_is_503() -> None:
    world = World(GATEWAY, service("shop"), grpc("backendRefs: [{name: shop, port: 80}, {name: none, port: 80}]"))
    assert shares(world) == [(1, "service/default/shop/80/http2"), (1, "503")]
    world.apply(grpc("backendRefs: []"))
    assert shares(world) == [(1, "503")]


GRANT = """
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {{name: grant, namespace: {namespace}}}
spec:
  from: [{{group: {group}, kind: {kind}, namespace: {from_}}}]
  to: [{{group: "", kind: {to}{name}}}]
"""


@pytest.mark.parametrize(
    ("changes", "permitted"),
    [
        ({}, True),
        ({"name": ", name: shop"}, True),
        ({"name": ", name: other"}, False),
        ({"namespace": "elsewhere"}, False),
        ({"group": "example.com"}, False),
        ({"kind": "GRPCRoute"}, False),
        ({"from_": "elsewhere"}, False),
        ({"to": "Secret"}, False),
    ],
)
def test_another_namespace_needs_a_grant_that_fits(changes: dict[str, str], permitted: bool) -> None:
    fields = {
        "namespace": "far",
        "group": "gateway.networking.k8s.io",
        "kind": "HTTPRoute",
        "from_": "default",
        "to": "Service",
        "name": "",
    }
    world = World(
        GATEWAY,
        service("shop", namespace="far"),
        http("backendRefs: [{name: shop, namespace: far, port: 80}]"),
        GRANT.format(**(fields | changes)),
    )
    assert shares(world) == [(1, "service/far/shop/80" if permitted else "500")]
    world.delete("ReferenceGrant", "grant", fields["namespace"] if not changes else changes.get("namespace", "far"))
    assert shares(world) == [(1, "500")]
    assert words(world.route("shop", "ResolvedRefs")) == ("False", "RefNotPermitted")


@pytest.mark.parametrize(
    ("app_protocol", "protocol"),
    [
        ("", "http1"),
        ("http", "http1"),
        ("kubernetes.io/ws", "http1"),
        ("kubernetes.io/h2c", "http2"),
        ("grpc", "http2"),
        ("example.com/own", "http1"),
    ],
)
def test_what_a_service_says_it_speaks(app_protocol: str, protocol: str) -> None:
    world = World(GATEWAY, service("shop", app_protocol=app_protocol), http("backendRefs: [{name: shop, port: 80}]"))
    assert world.plan().upstreams["service/default/shop/80"].protocol == protocol


def test_http_and_grpc_routes_share_the_endpoints_of_a_service() -> None:
    two = GATEWAY + "  - {name: grpc, port: 8081, protocol: HTTP}\n"
    world = World(
        two,
        service("shop"),
        http("backendRefs: [{name: shop, port: 80}]").replace("name: web,", "name: web, sectionName: http,"),
        grpc("backendRefs: [{name: shop, port: 80}]").replace("name: web,", "name: web, sectionName: grpc,"),
    )
    upstreams = world.plan().upstreams
    assert {name: item.protocol for name, item in upstreams.items()} == {
        "service/default/shop/80": "http1",
        "service/default/shop/80/http2": "http2",
    }
    assert {item.group for item in upstreams.values()} == {"service/default/shop/80"}


def test_a_service_that_speaks_http2_has_one_upstream_for_both() -> None:
    world = World(
        GATEWAY, service("shop", app_protocol="kubernetes.io/h2c"), grpc("backendRefs: [{name: shop, port: 80}]")
    )
    assert list(world.plan().upstreams) == ["service/default/shop/80"]


def test_grpc_to_a_service_that_says_http() -> None:
    world = World(GATEWAY, service("shop", app_protocol="http"), grpc("backendRefs: [{name: shop, port: 80}]"))
    assert words(world.route("shop", "ResolvedRefs", kind="GRPCRoute")) == ("False", "UnsupportedProtocol")


def backend(spec: str, name: str = "legacy", labels: str = "") -> str:
    return f"""
apiVersion: sampan.dev/v1alpha1
kind: Backend
metadata: {{name: {name}, labels: {{{labels}}}}}
spec: {spec}
"""


REFERENCE = "backendRefs: [{group: sampan.dev, kind: Backend, name: legacy}]"


def test_backends() -> None:
    world = World(GATEWAY, backend("{endpoints: [{address: 127.0.0.1, port: 8000}]}"), http(REFERENCE))
    upstream = world.plan().upstreams["backend/default/legacy"]
    assert (upstream.discovery, upstream.protocol, upstream.group) == ("endpoints", "http1", "backend/default/legacy")
    assert world.status("Backend", "legacy", group="sampan.dev").conditions[0].status == "True"
    world.apply(backend("{protocol: H2C, endpoints: [{unix: /run/legacy.sock}]}"))
    assert world.plan().upstreams["backend/default/legacy"].protocol == "http2"
    world.apply(backend("{type: ExternalHostname, port: {port: 443}, externalHostname: {hostname: api.example.com}}"))
    upstream = world.plan().upstreams["backend/default/legacy"]
    assert upstream.discovery == "dns"
    assert [(item.address, item.port) for item in upstream.endpoints] == [("api.example.com", 443)]
    world.apply(backend("{protocol: TCP, endpoints: [{address: 127.0.0.1, port: 8000}]}"))
    assert words(world.route("shop", "ResolvedRefs")) == ("False", "UnsupportedProtocol")


def test_a_service_of_backends_by_label_makes_versions() -> None:
    world = World(
        GATEWAY,
        service("reviews", extra="  selector: {app: reviews}"),
        service("reviews-v2", extra="  selector: {app: reviews, version: v2}"),
        backend("{endpoints: [{address: 127.0.0.1, port: 1}]}", "one", "app: reviews, version: v1"),
        backend("{endpoints: [{hostname: two.test, port: 2}]}", "two", "app: reviews, version: v2"),
        http("backendRefs: [{name: reviews, port: 80, weight: 9}, {name: reviews-v2, port: 80}]"),
    )
    assert shares(world) == [(9, "service/default/reviews/80"), (1, "service/default/reviews-v2/80")]
    upstreams = world.plan().upstreams
    named = upstreams["service/default/reviews-v2/80"]
    assert (named.discovery, [item.address for item in named.endpoints]) == ("dns", ["two.test"])
    assert [item.address for item in upstreams["service/default/reviews/80"].endpoints] == ["127.0.0.1", "two.test"]
    world.apply(backend("{endpoints: [{address: 127.0.0.1, port: 2}]}", "two", "app: reviews, version: v2"))
    assert {item.discovery for item in world.plan().upstreams.values()} == {"endpoints"}


def test_every_route_of_a_gateway_reads_the_reason_of_its_errors() -> None:
    world = World(GATEWAY, http("backendRefs: [{name: none, port: 80}]"))
    target = world.host().entries[0].action.shares[0].target
    assert target == Respond(500, "Service/default/none does not exist")
    assert lines(world.host()) == [("prefix /", "500")]
