"""What holds of every call: query options, headers, paths, methods."""

from __future__ import annotations

import pytest

from .both import Both

pytestmark = pytest.mark.consul

READS = ("/v1/catalog/services", "/v1/health/service/web", "/v1/health/state/any", "/v1/kv/k", "/v1/session/list")


@pytest.fixture
def web(both: Both) -> Both:
    both.put("/v1/agent/service/register", json={"ID": "web-1", "Name": "web"})
    both.put("/v1/kv/k", content=b"v")
    return both


@pytest.mark.parametrize("query", ["stale", "consistent", "stale=", "leader", "max_stale=1s", "pretty", "pretty=false"])
def test_consistency(web: Both, query: str) -> None:
    for path in READS:
        web.get(f"{path}?{query}")


@pytest.mark.parametrize(
    "query",
    ["stale&consistent", "cached&consistent", "index=x", "index=-1", "index=1.5", "wait=soon", "wait=5", "wait=1x"],
)
def test_refused(web: Both, query: str) -> None:
    for path in READS:
        web.get(f"{path}?{query}", 400)


@pytest.mark.parametrize("query", ["index=", "wait=", "index=0&wait=0s", "wait=-1s", "hash=x", "filter=", "max_stale="])
def test_harmless(web: Both, query: str) -> None:
    for path in READS:
        web.get(f"{path}?{query}")


def test_max_stale_refused(web: Both) -> None:
    web.get("/v1/catalog/services?max_stale=x", 400)


def test_cached(web: Both) -> None:
    """Only what Consul caches says so."""
    for path in READS:
        web.get(f"{path}?cached")
    web.get("/v1/health/service/web?cached", headers={"Cache-Control": "max-age=30"})
    web.get("/v1/health/service/web?cached", 400, headers={"Cache-Control": "max-age=x"})


def test_index_ahead(web: Both) -> None:
    """An index that nothing has yet waits its time, and gets the present one: the client must start over."""
    for path in ("/v1/health/service/web", "/v1/kv/k"):
        web.get(f"{path}?index=999999999&wait=200ms")


@pytest.mark.parametrize("ns", ["ns=default", "ns=other"])
def test_namespaces(web: Both, ns: str) -> None:
    for path in ("/v1/catalog/services", "/v1/health/service/web", "/v1/kv/k", "/v1/agent/services"):
        web.get(f"{path}?{ns}", 400)
    web.put(f"/v1/agent/service/register?{ns}", 400, json={"Name": "x"})
    web.put("/v1/agent/service/register", 400, json={"Name": "x", "Namespace": "other"})
    web.get("/v1/catalog/services", 400, headers={"X-Consul-Namespace": "other"})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/agent/service/register"),
        ("GET", "/v1/agent/service/register"),
        ("GET", "/v1/agent/service/deregister/x"),
        ("DELETE", "/v1/agent/service/deregister/x"),
        ("PUT", "/v1/agent/services"),
        ("PUT", "/v1/catalog/services"),
        ("DELETE", "/v1/catalog/service/web"),
        ("POST", "/v1/health/service/web"),
        ("GET", "/v1/catalog/register"),
        ("GET", "/v1/session/create"),
        ("POST", "/v1/session/create"),
        ("GET", "/v1/session/destroy/x"),
        ("POST", "/v1/txn"),
        ("PUT", "/v1/agent/checks"),
        ("GET", "/v1/agent/check/register"),
        ("POST", "/v1/agent/maintenance"),
        ("PUT", "/v1/session/list"),
    ],
)
def test_wrong_methods(both: Both, method: str, path: str) -> None:
    both.call(method, path, 405)


@pytest.mark.parametrize("path", READS)
def test_other_methods(web: Both, path: str) -> None:
    web.call("OPTIONS", path)
    web.call("HEAD", path, 405)


@pytest.mark.parametrize(
    "path",
    ["/v1/nope", "/v1/agent/nope", "/v1/catalog/nope", "/v1", "/v1/", "/v2/kv/a", "/v1/health", "/nope"],
)
def test_unknown_paths(both: Both, path: str) -> None:
    both.get(path, 404)


def test_long_lines(web: Both) -> None:
    """As Go's server: up to a megabyte."""
    web.get(
        "/v1/health/service/web", params={"filter": " or ".join(["Service.ID == nope"] * 2000 + ["Service.Port == 0"])}
    )
    web.get(f"/v1/health/service/{'x' * 50_000}")


def test_odd_paths(both: Both) -> None:
    both.get("/v1/catalog/services/", 404)
    both.get("/v1//catalog/services", 301)
    both.get("/v1/kv/%01", 400)


def test_the_last_of_many(both: Both) -> None:
    """Of a repeated option the first counts."""
    both.put("/v1/kv/a?flags=1&flags=2", content=b"x")
    both.get("/v1/kv/a")


def test_posted_forms(both: Both) -> None:
    """A body's type is nobody's business."""
    body = b'{"Name": "web"}'
    for kind in ("application/x-www-form-urlencoded", "text/plain", "application/json; charset=utf-8"):
        both.put("/v1/agent/service/register", content=body, headers={"Content-Type": kind})
    both.get("/v1/agent/services")


def test_no_token_leaks(both: Both) -> None:
    both.get("/v1/catalog/services?token=secret&index=x", 400)
