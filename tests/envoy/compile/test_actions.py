"""What happens to a request: shares, headers, mirrors, answers."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest

from sampan.model.plan import (
    Cors,
    Entry,
    Forward,
    HeaderChanges,
    Match,
    Mirror,
    PathMatch,
    PathRewrite,
    Respond,
    Rewrite,
    Share,
)

pytestmark = pytest.mark.envoy

ANY = Match()


def prefix(path: str, **more: Any) -> Match:
    return Match(PathMatch("prefix", path), **more)


def near(count: int, total: int, share: float) -> bool:
    """Within 4.5 standard deviations: a right split fails once in 150,000 runs."""
    return abs(count - total * share) <= 4.5 * math.sqrt(total * share * (1 - share))


def test_weights(start: Any, backend: Any, shop: Any) -> None:
    """Shares that differ in more than the weight are Routes of their own, and still split exactly."""
    shop.upstream("a", backend("a").endpoint)
    shop.upstream("b", backend("b").endpoint)
    rewritten = Forward("a", Rewrite(path=PathRewrite("prefix", "/x", "/mixed")))
    mixed = shop.action("mixed", Share(50, rewritten), Share(30, Forward("b")), Share(20, Respond(500)))
    plain = shop.action("plain", Share(9, Forward("a")), Share(1, Forward("b")))
    plan = shop.plan(Entry(prefix("/mixed"), mixed), Entry(prefix("/plain"), plain))
    envoy = start(plan, shop.groups)
    total = 1500
    found = Counter(envoy.request("/mixed/z").headers.get("x-from", "none") for _ in range(total))
    assert near(found["a"], total, 0.5)
    assert near(found["b"], total, 0.3)
    assert near(found["none"], total, 0.2)
    found = Counter(envoy.request("/plain").headers.get("x-from", "none") for _ in range(total))
    assert near(found["a"], total, 0.9)
    assert near(found["b"], total, 0.1)


def test_headers(start: Any, backend: Any, shop: Any) -> None:
    """The rule's changes, then the backend's; percent signs are text."""
    shop.upstream("a", backend("a").endpoint)
    shop.upstream("b", backend("b").endpoint)
    rule = HeaderChanges(
        set=(("x-set", "rule"), ("x-gone", "rule"), ("x-percent", "%REQ(:path)% 5%")),
        add=(("x-add", "rule"), ("x-replaced", "rule")),
        remove=("x-removed",),
    )
    own = HeaderChanges(
        set=(("x-set", "backend"), ("x-replaced", "backend")), add=(("x-add", "backend"),), remove=("x-gone",)
    )
    answers = HeaderChanges(set=(("x-from", "100%"), ("x-empty", "")), remove=("server",))
    single = shop.action("single", Share(1, Forward("a"), own, answers), request_headers=rule)
    both = shop.action("both", Share(1, Forward("a"), own), Share(1, Forward("b")), request_headers=rule)
    plan = shop.plan(Entry(prefix("/single"), single), Entry(prefix("/both"), both))
    envoy = start(plan, shop.groups)
    sent = {"x-removed": "yes", "x-set": "client", "x_underscore": "1", "x-envoy-retry-on": "5xx"}
    answer = envoy.request("/single", headers=sent)
    headers = answer.seen["headers"]
    assert headers["x-set"] == "backend"
    assert headers["x-replaced"] == "backend"
    assert headers["x-percent"] == "%REQ(:path)% 5%"
    assert not {"x-removed", "x-gone", "x_underscore", "x-envoy-retry-on"} & headers.keys()
    assert answer.headers["x-from"] == "100%"
    assert answer.headers["x-empty"] == ""
    assert "server" not in answer.headers
    by_backend = {}
    while len(by_backend) < 2:
        seen = envoy.request("/both", headers=sent).seen
        by_backend[seen["name"]] = seen["headers"]["x-set"]
    assert by_backend == {"a": "backend", "b": "rule"}


def test_host_as_a_header(start: Any, backend: Any, shop: Any) -> None:
    """Setting Host is a host rewrite, for the rule or for one backend; removing it means nothing."""
    shop.upstream("a", backend("a").endpoint)
    shop.upstream("b", backend("b").endpoint)
    changes = HeaderChanges(set=(("Host", "inner.example.com"), ("x-a", "b")), remove=("host",))
    single = shop.action("single", Share(1, Forward("a")), request_headers=changes, response_headers=changes)
    both = shop.action("both", Share(1, Forward("a"), request_headers=changes), Share(1, Forward("b")))
    envoy = start(shop.plan(Entry(prefix("/single"), single), Entry(prefix("/both"), both)), shop.groups)
    headers = envoy.request("/single").seen["headers"]
    assert (headers["host"], headers["x-a"]) == ("inner.example.com", "b")
    by_backend = {}
    while len(by_backend) < 2:
        seen = envoy.request("/both").seen
        by_backend[seen["name"]] = seen["headers"]["host"]
    assert by_backend == {"a": "inner.example.com", "b": "shop.example.com"}


def test_added_headers_are_kept_apart(start: Any, backend: Any, shop: Any) -> None:
    taken = backend("a")
    shop.upstream("a", taken.endpoint)
    add = HeaderChanges(add=(("x-add", "mine"),))
    envoy = start(shop.only(ANY, shop.action("rule", Share(1, Forward("a")), request_headers=add)), shop.groups)
    assert envoy.request("/", headers={"x-add": "client"}).status == 200
    assert taken.requests[0]["lines"].count("x-add: client") == 1
    assert taken.requests[0]["lines"].count("x-add: mine") == 1


def test_mirrors(start: Any, backend: Any, shop: Any) -> None:
    backends = {name: backend(name) for name in ("a", "all", "half")}
    for name, server in backends.items():
        shop.upstream(name, server.endpoint)
    shop.upstream("dead")
    mirrors = (Mirror("all"), Mirror("half", 1, 2), Mirror("dead"))
    envoy = start(shop.only(ANY, shop.action("rule", Share(1, Forward("a")), mirrors=mirrors)), shop.groups)
    total = 200
    assert {envoy.request("/m").seen["name"] for _ in range(total)} == {"a"}
    assert backends["all"].wait_for(total)
    assert near(len(backends["half"].requests), total, 0.5)
    assert {request["headers"]["host"] for request in backends["all"].requests} == {"shop.example.com"}


def test_answers_of_the_proxy(start: Any, shop: Any) -> None:
    shop.upstream("empty")
    action = shop.action
    added = HeaderChanges(set=(("x-a", "b"),))
    plan = shop.plan(
        Entry(prefix("/none"), action("none", Share(1, Forward("empty")))),
        Entry(prefix("/missing"), action("missing", Share(1, Forward("nowhere")))),
        Entry(prefix("/grpc", grpc=True), action("grpc", Share(1, Respond(500)), grpc=True)),
        Entry(prefix("/"), action("other", Share(1, Respond(500), response_headers=added))),
    )
    envoy = start(plan, shop.groups)
    assert envoy.request("/none").status == 503
    assert envoy.request("/missing").status == 503
    assert envoy.request("/x").status == 500
    assert envoy.request("/x").headers["x-a"] == "b"
    unavailable = envoy.request("/grpc", "POST", headers={"content-type": "application/grpc"})
    assert (unavailable.status, unavailable.headers["grpc-status"]) == (200, "14")


def test_statistics_by_route(start: Any, backend: Any, shop: Any) -> None:
    shop.upstream("a", backend("a").endpoint)
    envoy = start(shop.only(ANY, shop.action("httproute/default/front/0", Share(1, Forward("a")))), shop.groups)
    for _ in range(3):
        envoy.request("/")
    found = envoy.statistics("vhost")
    prefix = "vhost.any.route.httproute/default/front/0"
    assert (found[f"{prefix}.upstream_rq_total"], found[f"{prefix}.upstream_rq_2xx"]) == (3, 3)
    assert envoy.statistics("cluster.a.upstream_rq_total") == {"cluster.a.upstream_rq_total": 3}


PREFLIGHT = {"access-control-request-method": "PUT", "access-control-request-headers": "x-one"}
CORS = Cors(("https://*.example.com", "https://exact.org"), ("GET", "PUT"), ("x-one",), ("x-two",), True, 60)


def test_cors(start: Any, backend: Any, shop: Any) -> None:
    """Preflights are answered, for a rule with a method too; other origins get no CORS headers."""
    taken = backend("a")
    shop.upstream("a", taken.endpoint)
    envoy = start(
        shop.only(prefix("/", method="PUT"), shop.action("rule", Share(1, Forward("a")), cors=CORS)), shop.groups
    )
    allowed = envoy.request("/c", "OPTIONS", headers={"origin": "https://a.b.example.com", **PREFLIGHT})
    assert allowed.status == 200
    assert {name: value for name, value in allowed.headers.items() if name.startswith("access-")} == {
        "access-control-allow-origin": "https://a.b.example.com",
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET, PUT",
        "access-control-allow-headers": "x-one",
        "access-control-expose-headers": "x-two",
        "access-control-max-age": "60",
    }
    for origin in (
        "https://example.com",
        "https://a.example.com.evil.org",
        "http://a.example.com",
        "https://x.exact.org",
    ):
        refused = envoy.request("/c", "OPTIONS", headers={"origin": origin, **PREFLIGHT})
        assert (refused.status, refused.headers.get("access-control-allow-origin")) == (200, None)
    assert taken.requests == []
    answer = envoy.request("/c", "PUT", headers={"origin": "https://exact.org"})
    assert answer.headers["access-control-allow-origin"] == "https://exact.org"
    assert (
        "access-control-allow-origin" not in envoy.request("/c", "PUT", headers={"origin": "https://evil.org"}).headers
    )


def test_cors_wildcards(start: Any, backend: Any, shop: Any) -> None:
    """With credentials `*` means what was asked for."""
    shop.upstream("a", backend("a").endpoint)
    cors = Cors(("*",), ("*",), ("*",), ("*",), allow_credentials=True)
    envoy = start(shop.only(ANY, shop.action("rule", Share(1, Forward("a")), cors=cors)), shop.groups)
    headers = envoy.request("/", "OPTIONS", headers={"origin": "https://any.org", **PREFLIGHT}).headers
    assert headers["access-control-allow-origin"] == "https://any.org"
    assert headers["access-control-allow-methods"] == "PUT"
    assert headers["access-control-allow-headers"] == "x-one"
    assert "*" not in headers.get("access-control-expose-headers", "")
