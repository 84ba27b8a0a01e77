"""Which rule wins: HTTPRouteRule.matches, GRPCRouteRule.matches, HTTPRouteSpec.hostnames."""

from __future__ import annotations

import random

from resolve_world import GATEWAY, World, lines, service, words


def http(
    name: str, rules: list[tuple[str, str]], hosts: str = "", created: str = "", namespace: str = "default"
) -> str:
    """Rules are (match in YAML, backend)."""
    stamp = f', creationTimestamp: "{created}"' if created else ""
    body = "\n".join(
        f"  - {{matches: [{match}], backendRefs: [{{name: {backend}, port: 80}}]}}" for match, backend in rules
    )
    hostnames = f"\n  hostnames: {hosts}" if hosts else ""
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {name}, namespace: {namespace}{stamp}}}
spec:
  parentRefs: [{{name: web, namespace: default}}]{hostnames}
  rules:
{body}
"""


def backends(world: World, domain: str = "*") -> list[str]:
    return [target.split("/")[2] for _, target in lines(world.host(domain))]


SERVICES = [service(name) for name in "abcdefgh"]


def test_the_order_of_matches_across_rules_and_routes() -> None:
    ordered = [
        ("{path: {type: Exact, value: /shop/x}}", "a"),
        ('{path: {type: RegularExpression, value: "/shop/[0-9]+"}}', "b"),
        ("{path: {value: /shop/long}}", "c"),
        ("{path: {value: /shop}, method: GET}", "d"),
        ("{path: {value: /shop}, headers: [{name: x, value: y}, {name: z, value: y}]}", "e"),
        ("{path: {value: /shop}, headers: [{name: x, value: y}], queryParams: [{name: q, value: y}]}", "f"),
        ("{path: {value: /shop}, headers: [{name: x, value: y}]}", "g"),
        ("{path: {value: /}}", "h"),
    ]
    for seed in range(5):
        shuffled = random.Random(seed).sample(ordered, len(ordered))
        world = World(GATEWAY, *SERVICES, http("one", shuffled[:4]), http("two", shuffled[4:]))
        assert backends(world) == list("abcdefgh")


def test_equals_go_to_the_oldest_then_by_name_then_by_place() -> None:
    everything = "{path: {value: /}}"
    world = World(
        GATEWAY,
        *SERVICES,
        http("young", [(everything, "e")], created="2025-03-01T00:00:00Z"),
        http("old", [(everything, "a"), (everything, "b")], created="2025-01-01T00:00:00Z"),
        http("zeta", [(everything, "g")]),
        http("alpha", [(everything, "f")]),
        http("middle", [(everything, "c"), (everything, "d")], created="2025-02-01T00:00:00Z"),
    )
    assert backends(world) == list("abcdefg")


def test_the_longer_host_goes_before_everything_else() -> None:
    world = World(
        GATEWAY,
        *SERVICES,
        http("none", [("{path: {type: Exact, value: /x}}", "d")], created="2025-01-01T00:00:00Z"),
        http("wild", [("{path: {type: Exact, value: /x}}", "c")], '["*.example.com"]', "2025-01-01T00:00:00Z"),
        http("wilder", [("{path: {value: /}}", "b")], '["*.shop.example.com"]'),
        http("exact", [("{path: {value: /}}", "a")], "[www.shop.example.com]"),
    )
    assert backends(world, "www.shop.example.com") == list("abcd")
    assert backends(world, "*.shop.example.com") == list("bcd")
    assert backends(world, "*.example.com") == list("cd")
    assert backends(world) == ["d"]


def test_the_routes_own_host_counts_not_the_one_in_common() -> None:
    narrow = GATEWAY.replace("protocol: HTTP", "protocol: HTTP, hostname: www.shop.example.com")
    everything = [("{path: {value: /}}", "")]
    world = World(
        narrow,
        *SERVICES,
        http("none", [(everything[0][0], "d")], created="2025-01-01T00:00:00Z"),
        http("wild", [(everything[0][0], "c")], '["*.example.com"]', "2025-01-01T00:00:00Z"),
        http("wilder", [(everything[0][0], "b")], '["*.shop.example.com"]'),
        http("exact", [(everything[0][0], "a")], "[www.shop.example.com]"),
    )
    assert backends(world, "www.shop.example.com") == list("abcd")


def test_a_route_with_nested_hosts_stands_once_in_a_hosts_table() -> None:
    world = World(GATEWAY, *SERVICES, http("one", [("{path: {value: /}}", "a")], '[www.example.com, "*.example.com"]'))
    assert backends(world, "www.example.com") == ["a"]


def test_header_and_query_matches() -> None:
    match = (
        "{headers: [{name: Version, value: two}, {name: version, value: three},"
        " {name: x, type: RegularExpression, value: a+}], queryParams: [{name: Q, value: z}], method: POST}"
    )
    world = World(GATEWAY, *SERVICES, http("one", [(match, "a")]))
    found = world.host().entries[0].match
    assert [(item.name, item.kind, item.value) for item in found.headers] == [
        ("version", "exact", "two"),
        ("x", "regex", "a+"),
    ]
    assert [(item.name, item.kind, item.value) for item in found.query] == [("Q", "exact", "z")]
    assert found.method == "POST"


def test_a_prefix_ignores_a_slash_at_its_end() -> None:
    world = World(GATEWAY, *SERVICES, http("one", [("{path: {value: /shop/}}", "a")]))
    assert world.host().entries[0].match.path.value == "/shop"


# ---- gRPC


def grpc(name: str, rules: str, hosts: str = "", created: str = "") -> str:
    stamp = f', creationTimestamp: "{created}"' if created else ""
    hostnames = f"\n  hostnames: {hosts}" if hosts else ""
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {{name: {name}{stamp}}}
spec:
  parentRefs: [{{name: web}}]{hostnames}
  rules:
{rules}
"""


def test_grpc_matches_and_their_order() -> None:
    rules = """
  - {matches: [{method: {type: RegularExpression, service: "shop[.].*"}}], backendRefs: [{name: d, port: 80}]}
  - {matches: [{method: {method: Buy}}], backendRefs: [{name: e, port: 80}]}
  - {backendRefs: [{name: f, port: 80}]}
  - {matches: [{method: {service: shop.v1.Catalogue}}], backendRefs: [{name: c, port: 80}]}
  - {matches: [{method: {service: shop.v1.Catalogue, method: Get}}], backendRefs: [{name: b, port: 80}]}
  - matches: [{method: {service: shop.v1.Catalogue, method: Get}, headers: [{name: version, value: two}]}]
    backendRefs: [{name: a, port: 80}]
"""
    world = World(GATEWAY, *SERVICES, grpc("one", rules))
    assert [(entry.match.path.kind, entry.match.path.value) for entry in world.host().entries] == [
        ("exact", "/shop.v1.Catalogue/Get"),
        ("exact", "/shop.v1.Catalogue/Get"),
        ("prefix", "/shop.v1.Catalogue"),
        ("regex", "/(?:shop[.].*)/[^/]+"),
        ("regex", "/[^/]+/Buy"),
        ("prefix", "/"),
    ]
    assert backends(world) == list("abcdef")
    assert all(entry.match.grpc and entry.action.grpc for entry in world.host().entries)
    assert world.plan().upstreams["service/default/a/80/http2"].protocol == "http2"


def test_of_http_and_grpc_routes_for_the_same_hosts_the_oldest_stays() -> None:
    everything = "  - {backendRefs: [{name: a, port: 80}]}"
    world = World(
        GATEWAY,
        *SERVICES,
        http("h", [("{path: {value: /}}", "b")], '["*.example.com"]', "2025-02-01T00:00:00Z"),
        grpc("g", everything, "[shop.example.com]", "2025-01-01T00:00:00Z"),
        grpc("elsewhere", everything, "[other.test]", "2025-03-01T00:00:00Z"),
    )
    assert words(world.route("h", "Accepted")) == ("False", "Conflicted")
    assert words(world.route("g", "Accepted", kind="GRPCRoute")) == ("True", "Accepted")
    assert words(world.route("elsewhere", "Accepted", kind="GRPCRoute")) == ("True", "Accepted")
    assert world.listener("http").attached_routes == 2
    (said,) = world.said()
    assert (said.code.id, said.object and said.object.name) == ("SMP0320", "h")
    assert [host.domain for host in world.http().hosts] == ["*", "other.test", "shop.example.com"]
    world.delete("GRPCRoute", "g")
    assert words(world.route("h", "Accepted")) == ("True", "Accepted")
    assert backends(world, "*.example.com") == ["b"]
    assert not world.said()
