"""Routes and their parents."""

from __future__ import annotations

import pytest
from resolve_world import GATEWAY, World, gateway, route, served, service, words


def parents(text: str) -> str:
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: shop}}
spec:
  parentRefs: {text}
  rules: [{{backendRefs: [{{name: shop, port: 80}}]}}]
"""


TWO = gateway("{name: a, port: 8080, protocol: HTTP}", "{name: b, port: 8081, protocol: HTTP}")


@pytest.mark.parametrize(
    ("reference", "code", "field", "hint"),
    [
        ("{name: web, sectionName: zz}", "SMP0315", "spec.parentRefs[0].sectionName", "its listeners: a, b"),
        ("{name: web, port: 9090}", "SMP0315", "spec.parentRefs[0].port", "its ports: 8080, 8081"),
        ("{name: web, sectionName: a, port: 8081}", "SMP0315", "spec.parentRefs[0].port", "its ports: 8080, 8081"),
    ],
)
def test_no_matching_parent(reference: str, code: str, field: str, hint: str) -> None:
    world = World(TWO, service("shop"), parents(f"[{reference}]"))
    assert words(world.route("shop", "Accepted")) == ("False", "NoMatchingParent")
    assert words(world.route("shop", "ResolvedRefs")) == ("True", "ResolvedRefs")
    (said,) = world.said()
    assert (said.code.id, said.field_text, said.hint) == (code, field, hint)
    assert [world.listener(name).attached_routes for name in "ab"] == [0, 0]
    assert not world.plan().upstreams


def test_one_status_for_each_parent_reference() -> None:
    world = World(TWO, service("shop"), parents("[{name: web, sectionName: a}, {name: web, sectionName: c}]"))
    status = world.status("HTTPRoute", "shop")
    assert [dict(parent.parent_ref) for parent in status.parents] == [
        {
            "group": "gateway.networking.k8s.io",
            "kind": "Gateway",
            "namespace": "default",
            "name": "web",
            "sectionName": name,
        }
        for name in "ac"
    ]
    assert words(world.route("shop", "Accepted", 0)) == ("True", "Accepted")
    assert words(world.route("shop", "Accepted", 1)) == ("False", "NoMatchingParent")
    assert [world.listener(name).attached_routes for name in "ab"] == [1, 0]


def test_a_port_selects_listeners() -> None:
    world = World(TWO, service("shop"), parents("[{name: web, port: 8081}]"))
    assert dict(world.status("HTTPRoute", "shop").parents[0].parent_ref)["port"] == 8081
    assert served(world) == {"*": []}
    assert served(world, "http/8081") == {"*": ["/"]}


def test_a_gateway_that_does_not_exist() -> None:
    world = World(GATEWAY, service("shop"), parents("[{name: wep}]"))
    assert not any(ref.kind == "HTTPRoute" for ref in world.resolution.statuses)
    (said,) = world.said()
    assert (said.code.id, said.field_text, said.hint) == ("SMP0314", "spec.parentRefs[0].name", "did you mean 'web'?")


def test_references_are_checked_even_where_no_gateway_takes_the_route() -> None:
    broken = parents("[{name: wep}]").replace("name: shop, port", "name: shopp, port")
    world = World(GATEWAY, service("shop"), broken)
    assert [item.code.id for item in world.said()] == ["SMP0314", "SMP0331"]
    world.apply(broken.replace("wep", "web, sectionName: none"))
    assert [item.code.id for item in world.said()] == ["SMP0315", "SMP0331"]
    assert words(world.route("shop", "ResolvedRefs")) == ("False", "BackendNotFound")
    assert not world.plan().upstreams


def test_a_service_as_parent_is_said_to_have_no_effect() -> None:
    world = World(GATEWAY, service("shop"), parents('[{group: "", kind: Service, name: shop}]'))
    assert not any(ref.kind == "HTTPRoute" for ref in world.resolution.statuses)
    (said,) = world.said()
    assert (said.code.id, said.severity) == ("SMP0318", "warning")


@pytest.mark.parametrize(
    ("listener", "hosts", "expected"),
    [
        ("very.specific.com", '[non.matching.com, "*.nonmatching.io", very.specific.com]', ["very.specific.com"]),
        (
            '"*.wildcard.io"',
            "[wildcard.io, foo.wildcard.io, foo.bar.wildcard.io]",
            ["foo.bar.wildcard.io", "foo.wildcard.io"],
        ),
        ("very.specific.com", '["*.specific.com"]', ["very.specific.com"]),
        ('"*.a.io"', '["*.io"]', ["*.a.io"]),
        ('"*.a.io"', '["*.b.a.io"]', ["*.b.a.io"]),
        ("very.specific.com", "[specific.com, wrong.com]", None),
        ('"*.wildcard.io"', "[wildcard.io]", None),
    ],
)
def test_hosts_in_common(listener: str, hosts: str, expected: list[str] | None) -> None:
    world = World(
        gateway(f"{{name: http, port: 8080, protocol: HTTP, hostname: {listener}}}"),
        service("shop"),
        route("shop", "/", hosts=hosts),
    )
    if expected is None:
        assert words(world.route("shop", "Accepted")) == ("False", "NoMatchingListenerHostname")
        assert world.said()[0].field_text == "spec.hostnames"
        assert world.listener("http").attached_routes == 0
        expected = []
    else:
        assert words(world.route("shop", "Accepted")) == ("True", "Accepted")
    assert sorted(host for host, paths in served(world).items() if paths) == sorted(expected)
