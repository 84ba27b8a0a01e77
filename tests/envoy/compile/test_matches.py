"""Which requests an entry takes."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.model.plan import Chain, Entry, Host, HttpApplication, Match, PathMatch, Respond, Share, Socket, ValueMatch

pytestmark = pytest.mark.envoy

ANY = PathMatch("prefix", "/")


def path(kind: Any, value: str) -> Match:
    return Match(PathMatch(kind, value))


def header(kind: Any, name: str, value: str) -> Match:
    return Match(ANY, headers=(ValueMatch(name, kind, value),))


def query(kind: Any, name: str, value: str) -> Match:
    return Match(ANY, query=(ValueMatch(name, kind, value),))


TAKEN: tuple[tuple[Match, dict[str, Any]], ...] = (
    (path("prefix", "/shop"), {"path": "/shop"}),
    (path("prefix", "/shop"), {"path": "/shop/a?b=c"}),
    (path("prefix", "/shop"), {"path": "/shop?b=c"}),
    (path("prefix", "/shop/"), {"path": "/shop"}),
    (path("prefix", "/"), {"path": "/anything"}),
    (path("exact", "/shop"), {"path": "/shop?b=c"}),
    (path("exact", "/shop/"), {"path": "/shop/"}),
    (path("exact", "/shop"), {"path": "//shop"}),
    (path("exact", "/shop"), {"path": "/a/../shop"}),
    (path("exact", "/a%2Fb"), {"path": "/a%2Fb"}),
    (path("regex", "/v[0-9]+/.*"), {"path": "/v12/x?b=c"}),
    (header("exact", "x-user", "me"), {"headers": {"X-User": "me"}}),
    (header("regex", "x-user", "m.*"), {"headers": {"x-user": "me"}}),
    (header("exact", "x-user", "a,b"), {"headers": {"x-user": "a,b"}}),
    (query("exact", "q", "1"), {"path": "/?p=2&q=1"}),
    (query("regex", "q", "[0-9]+"), {"path": "/?q=12"}),
    (query("exact", "q", "a b/ü"), {"path": "/?q=a%20b%2f%C3%BC"}),
    (query("exact", "q", "a b"), {"path": "/?q=a+b"}),
    (Match(ANY, method="PUT"), {"method": "PUT"}),
    (Match(ANY, grpc=True), {"method": "POST", "headers": {"content-type": "application/grpc+proto"}}),
    (Match(ANY), {"host": "shop.example.com:8080"}),
    (Match(ANY), {"host": "SHOP.example.com"}),
    (Match(ANY), {"host": "shop.example.com."}),
)

LEFT: tuple[tuple[Match, dict[str, Any]], ...] = (
    (path("prefix", "/shop"), {"path": "/shopping"}),
    (path("prefix", "/shop"), {"path": "/Shop"}),
    (path("exact", "/shop"), {"path": "/shop/"}),
    (path("exact", "/a/b"), {"path": "/a%2Fb"}),
    (path("regex", "/v[0-9]"), {"path": "/v12"}),
    (header("exact", "x-user", "me"), {"headers": {"x-user": "you"}}),
    (header("exact", "x-user", "me"), {}),
    (header("regex", "x-user", "m"), {"headers": {"x-user": "me"}}),
    (query("exact", "q", "1"), {"path": "/?q=11"}),
    (query("exact", "q", "a b"), {"path": "/?q=ab"}),
    (Match(ANY, method="PUT"), {"method": "GET"}),
    (Match(ANY, grpc=True), {"method": "POST"}),
    (Match(ANY), {"host": "other.example.com"}),
)


def test_matches(start: Any, shop: Any) -> None:
    """A routing table for each case: its entry answers 200, no entry 404."""
    cases = [*((case, 200) for case in TAKEN), *((case, 404) for case in LEFT)]
    sockets = []
    for number, ((match, _), _) in enumerate(cases):
        entry = Entry(match, shop.action(f"rule{number}", Share(1, Respond(200))))
        application = HttpApplication(f"table{number}", (Host("shop", "shop.example.com", (entry,)),))
        sockets.append(Socket(f"table{number}", 0, (Chain("http", application),), ("127.0.0.1",)))
    envoy = start(shop.plan(sockets=tuple(sockets)))
    wrong = []
    for number, ((match, request), expected) in enumerate(cases):
        answer = envoy.request(**{"path": "/", "listener": f"table{number}", **request})
        status = 200 if answer.status == 200 or answer.headers.get("grpc-status") == "0" else answer.status
        if status != expected:
            wrong.append((match, request, answer.status, answer.headers))
    assert wrong == []


def test_hosts(start: Any, shop: Any) -> None:
    """The exact host before the wildcard, the longer wildcard before the shorter, 421 for another listener's."""
    hosts = tuple(
        Host(name, domain, (Entry(Match(ANY), shop.action(name, Share(1, Respond(status)))),))
        for name, domain, status in (
            ("any", "*", 201),
            ("example", "*.example.com", 202),
            ("deep", "*.shop.example.com", 203),
            ("exact", "a.example.com", 205),
        )
    )
    envoy = start(shop.plan(hosts=(*hosts, Host("elsewhere", "b.example.com", (), misdirected=True))))
    sent = ("z.org", "x.example.com", "y.x.example.com", "c.shop.example.com", "a.example.com", "b.example.com")
    assert [envoy.request("/", host=host).status for host in sent] == [201, 202, 202, 203, 205, 421]
