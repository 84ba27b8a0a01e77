"""Rewrites and redirects of paths, by the tables of the Gateway API."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.model.plan import Entry, Forward, Host, Match, PathMatch, PathRewrite, Redirect, Rewrite, Share

pytestmark = pytest.mark.envoy

# Gateway API, HTTPPathModifier.replacePrefixMatch: request, prefix of the match, its replacement, result.
REPLACEMENTS = (
    ("/foo/bar", "/foo", "/xyz", "/xyz/bar"),
    ("/foo/bar", "/foo", "/xyz/", "/xyz/bar"),
    ("/foo/bar", "/foo/", "/xyz", "/xyz/bar"),
    ("/foo/bar", "/foo/", "/xyz/", "/xyz/bar"),
    ("/foo", "/foo", "/xyz", "/xyz"),
    ("/foo/", "/foo", "/xyz", "/xyz/"),
    ("/foo/bar", "/foo", "", "/bar"),
    ("/foo/", "/foo", "", "/"),
    ("/foo", "/foo", "", "/"),
    ("/foo/", "/foo", "/", "/"),
    ("/foo", "/foo", "/", "/"),
    ("/foo/bar?q=/foo", "/foo", "/xyz", "/xyz/bar?q=/foo"),
    ("/foo/bar?q=1", "/foo", "", "/bar?q=1"),
    ("/foo/bar", "/", "/xyz", "/xyz/foo/bar"),
    ("/", "/", "/xyz", "/xyz/"),
    ("/foo/foo", "/foo", "/a", "/a/foo"),
    ("/f.o/bar", "/f.o", "", "/bar"),
    ("/foo", "/foo", r"/a\1", r"/a\1"),
)


def prefix(path: str) -> Match:
    return Match(PathMatch("prefix", path))


def test_replaced_prefixes(start: Any, backend: Any, shop: Any) -> None:
    """Each row of the table behind a host of its own."""
    shop.upstream("a", backend("a").endpoint)
    hosts = []
    for number, (_, matched, value, _) in enumerate(REPLACEMENTS):
        target = Forward("a", Rewrite(path=PathRewrite("prefix", value, matched)))
        entry = Entry(prefix(matched), shop.action(f"rule{number}", Share(1, target)))
        hosts.append(Host(f"host{number}", f"host{number}.example.com", (entry,)))
    envoy = start(shop.plan(hosts=tuple(hosts)), shop.groups)
    found = [
        envoy.request(sent, host=f"host{number}.example.com").seen["path"]
        for number, (sent, *_) in enumerate(REPLACEMENTS)
    ]
    assert found == [result for *_, result in REPLACEMENTS]


def test_full_path(start: Any, backend: Any, shop: Any) -> None:
    shop.upstream("a", backend("a").endpoint)
    target = Forward("a", Rewrite(hostname="inner.example.com", path=PathRewrite("full", r"/one\0")))
    envoy = start(shop.only(prefix("/full"), shop.action("rule", Share(1, target))), shop.groups)
    seen = envoy.request("/full/one/two?q=1").seen
    assert seen["path"] == r"/one\0?q=1"
    assert seen["headers"]["host"] == "inner.example.com"
    assert seen["headers"]["x-forwarded-host"] == "shop.example.com"


REDIRECTS = (
    (Redirect(301, scheme="https"), "shop.example.com", "https://shop.example.com/r/x?q=1"),
    (Redirect(302, scheme="https"), "shop.example.com:8080", "https://shop.example.com:443/r/x?q=1"),
    (Redirect(302, scheme="https", port=443), "shop.example.com", "https://shop.example.com/r/x?q=1"),
    (Redirect(302, scheme="https", hostname="a.org", port=443), "shop.example.com:80", "https://a.org/r/x?q=1"),
    (Redirect(302, scheme="https"), "[::1]:8080", "https://[::1]:443/r/x?q=1"),
    (Redirect(302, scheme="https", port=8443), "shop.example.com:8080", "https://shop.example.com:8443/r/x?q=1"),
    (Redirect(303, hostname="other.example.com"), "shop.example.com:8080", "http://other.example.com/r/x?q=1"),
    (Redirect(307, port=81), "shop.example.com", "http://shop.example.com:81/r/x?q=1"),
    (
        Redirect(308, path=PathRewrite("prefix", "/new", "/r")),
        "shop.example.com:80",
        "http://shop.example.com:80/new/x?q=1",
    ),
    (Redirect(302, path=PathRewrite("prefix", "", "/r")), "shop.example.com", "http://shop.example.com/x?q=1"),
    (Redirect(302, path=PathRewrite("full", "/new")), "shop.example.com", "http://shop.example.com/new?q=1"),
    (Redirect(302, path=PathRewrite("full", "/new?p=2")), "shop.example.com", "http://shop.example.com/new?p=2"),
)


@pytest.mark.parametrize(("redirect", "host", "location"), REDIRECTS)
def test_redirects(start: Any, shop: Any, redirect: Redirect, host: str, location: str) -> None:
    envoy = start(shop.only(prefix("/r"), shop.action("rule", Share(1, redirect))))
    answer = envoy.request("/r/x?q=1", host=host)
    assert (answer.status, answer.headers["location"]) == (redirect.status, location)
