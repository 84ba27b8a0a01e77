"""Filters: what a rule or a backend reference does to requests."""

from __future__ import annotations

import pytest
from resolve_world import World, gateway, service, words

from sampan.model.plan import Action, Cors, Forward, HeaderChanges, Mirror, PathRewrite, Redirect, Rewrite

HTTP = "{name: http, port: 80, protocol: HTTP}"


def rule(text: str, name: str = "shop") -> str:
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {name}}}
spec:
  parentRefs: [{{name: web}}]
  rules:
  - {text}
"""


def action(world: World, application: str = "http/80") -> Action:
    return world.host(application=application).entries[0].action


def test_header_changes_of_rule_and_backend() -> None:
    changes = "{set: [{name: X-Set, value: a}], add: [{name: X-Add, value: b}], remove: [X-Gone]}"
    world = World(
        gateway(HTTP),
        service("shop"),
        rule(f"""filters:
    - {{type: RequestHeaderModifier, requestHeaderModifier: {changes}}}
    - {{type: ResponseHeaderModifier, responseHeaderModifier: {changes}}}
    backendRefs:
    - name: shop
      port: 80
      filters: [{{type: RequestHeaderModifier, requestHeaderModifier: {{set: [{{name: Who, value: shop}}]}}}}]"""),
    )
    found = action(world)
    expected = HeaderChanges((("X-Set", "a"),), (("X-Add", "b"),), ("X-Gone",))
    assert found.request_headers == found.response_headers == expected
    assert found.shares[0].request_headers == HeaderChanges((("Who", "shop"),))


@pytest.mark.parametrize(
    ("listener", "redirect", "scheme", "port"),
    [
        (("HTTP", 80), "{}", "", None),
        (("HTTP", 80), "{port: 80}", "", None),
        (("HTTP", 80), "{port: 8080}", "", 8080),
        (("HTTP", 80), "{scheme: https}", "https", None),
        (("HTTP", 80), "{scheme: https, port: 443}", "https", None),
        (("HTTP", 80), "{scheme: https, port: 8443}", "https", 8443),
        (("HTTP", 8080), "{}", "", 8080),
        (("HTTP", 8080), "{port: 80}", "", 80),
        (("HTTP", 8080), "{hostname: x.test, port: 80}", "", None),
        (("HTTP", 8080), "{scheme: https}", "https", 443),
        (("HTTP", 8080), "{scheme: https, hostname: x.test}", "https", None),
        (("HTTP", 8080), "{scheme: http}", "http", 80),
    ],
)
def test_the_port_of_a_redirect(listener: tuple[str, int], redirect: str, scheme: str, port: int | None) -> None:
    protocol, number = listener
    world = World(
        gateway(f"{{name: http, port: {number}, protocol: {protocol}}}"),
        rule(f"filters: [{{type: RequestRedirect, requestRedirect: {redirect}}}]"),
    )
    (share,) = action(world, f"http/{number}").shares
    assert isinstance(share.target, Redirect)
    assert (share.target.status, share.target.scheme, share.target.port) == (302, scheme, port)


def test_redirects_differ_by_listener() -> None:
    world = World(
        gateway(HTTP, "{name: other, port: 8080, protocol: HTTP}"),
        rule("filters: [{type: RequestRedirect, requestRedirect: {statusCode: 308}}]"),
    )
    one, other = action(world).shares[0].target, action(world, "http/8080").shares[0].target
    assert one == Redirect(308)
    assert other == Redirect(308, port=8080)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("{type: ReplaceFullPath, replaceFullPath: /new}", PathRewrite("full", "/new")),
        ("{type: ReplacePrefixMatch, replacePrefixMatch: /new}", PathRewrite("prefix", "/new", "/old")),
        ('{type: ReplacePrefixMatch, replacePrefixMatch: ""}', PathRewrite("prefix", "", "/old")),
    ],
)
def test_rewrites_and_redirects_of_the_path(path: str, expected: PathRewrite) -> None:
    matches = "matches: [{path: {value: /old/}}]"
    world = World(
        gateway(HTTP),
        service("shop"),
        rule(f"""{matches}
    filters: [{{type: URLRewrite, urlRewrite: {{hostname: new.test, path: {path}}}}}]
    backendRefs: [{{name: shop, port: 80}}]"""),
    )
    assert action(world).shares[0].target == Forward("service/default/shop/80", Rewrite("new.test", expected))
    world.apply(rule(f"{matches}\n    filters: [{{type: RequestRedirect, requestRedirect: {{path: {path}}}}}]"))
    target = action(world).shares[0].target
    assert isinstance(target, Redirect)
    assert target.path == expected


def test_mirrors() -> None:
    world = World(
        gateway(HTTP),
        service("shop"),
        service("copy"),
        rule("""filters:
    - {type: RequestMirror, requestMirror: {backendRef: {name: copy, port: 80}}}
    - {type: RequestMirror, requestMirror: {backendRef: {name: copy, port: 80}, percent: 20}}
    - {type: RequestMirror, requestMirror: {backendRef: {name: copy, port: 80}, percent: 0}}
    - type: RequestMirror
      requestMirror: {backendRef: {name: copy, port: 80}, fraction: {numerator: 1, denominator: 3}}
    backendRefs: [{name: shop, port: 80}]"""),
    )
    name = "service/default/copy/80"
    assert action(world).mirrors == (Mirror(name), Mirror(name, 20, 100), Mirror(name, 1, 3))
    assert name in world.plan().upstreams


def test_a_mirror_that_leads_nowhere_harms_only_itself() -> None:
    world = World(
        gateway(HTTP),
        service("shop"),
        rule("""filters: [{type: RequestMirror, requestMirror: {backendRef: {name: none, port: 80}}}]
    backendRefs: [{name: shop, port: 80}]"""),
    )
    assert action(world).mirrors == ()
    assert isinstance(action(world).shares[0].target, Forward)
    assert words(world.route("shop", "ResolvedRefs")) == ("False", "BackendNotFound")
    assert world.said()[0].field_text == "spec.rules[0].filters[0].requestMirror.backendRef.name"


CORS = "{type: CORS, cors: {allowOrigins: ['https://*.example.com'], allowMethods: [PUT], allowCredentials: true}}"


def test_cors() -> None:
    expected = Cors(("https://*.example.com",), ("PUT",), allow_credentials=True)
    world = World(
        gateway(HTTP), service("shop"), rule(f"filters: [{CORS}]\n    backendRefs: [{{name: shop, port: 80}}]")
    )
    assert action(world).cors == expected
    world.apply(rule(f"backendRefs: [{{name: shop, port: 80, filters: [{CORS}]}}]"))
    assert action(world).cors == expected
    world.apply(rule(f"backendRefs: [{{name: shop, port: 80, filters: [{CORS}]}}, {{name: shop, port: 80}}]"))
    assert action(world).cors is None
    assert world.said()[0].code.id == "SMP0319"


EXTENSION = "{type: ExtensionRef, extensionRef: {group: example.com, kind: Guard, name: x}}"


def test_a_filter_that_leads_nowhere_is_never_skipped() -> None:
    world = World(
        gateway(HTTP), service("shop"), rule(f"filters: [{EXTENSION}]\n    backendRefs: [{{name: shop, port: 80}}]")
    )
    assert [getattr(share.target, "status", 0) for share in action(world).shares] == [500]
    assert words(world.route("shop", "ResolvedRefs")) == ("False", "InvalidKind")
    assert words(world.route("shop", "Accepted")) == ("False", "UnsupportedValue")
    assert [item.field_text for item in world.said()] == ["spec.rules[0].filters[0].extensionRef.kind"]
    assert not world.plan().upstreams
    assert world.listener("http").attached_routes == 0


def test_one_bad_rule_among_good_ones() -> None:
    world = World(
        gateway(HTTP),
        service("shop"),
        rule(f"""filters: [{EXTENSION}]
    backendRefs: [{{name: shop, port: 80}}]
  - matches: [{{path: {{value: /good}}}}]
    backendRefs: [{{name: shop, port: 80}}]"""),
    )
    good, bad = (entry.action.shares[0].target for entry in world.host(application="http/80").entries)
    assert isinstance(good, Forward)
    assert getattr(bad, "status", 0) == 500
    assert words(world.route("shop", "Accepted")) == ("True", "Accepted")
    partly = world.route("shop", "PartiallyInvalid")
    assert words(partly) == ("True", "UnsupportedValue")
    assert partly.message.startswith("Dropped Rule")


def test_a_bad_filter_of_a_backend_fails_its_share_alone() -> None:
    world = World(
        gateway(HTTP),
        service("shop"),
        rule(f"backendRefs: [{{name: shop, port: 80, filters: [{EXTENSION}]}}, {{name: shop, port: 80}}]"),
    )
    assert [type(share.target).__name__ for share in action(world).shares] == ["Respond", "Forward"]
    assert words(world.route("shop", "Accepted")) == ("True", "Accepted")
