"""Reads that wait: what wakes them, and what does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .both import Both

pytestmark = pytest.mark.consul

Change = Callable[[Both], object]


def register(name: str, **more: object) -> Change:
    return lambda both: both.put("/v1/agent/service/register", json={"ID": f"{name}-1", "Name": name, **more})


def deregister(name: str) -> Change:
    return lambda both: both.put(f"/v1/agent/service/deregister/{name}-1")


def check(verb: str, name: str) -> Change:
    return lambda both: both.put(f"/v1/agent/check/{verb}/service:{name}-1?note={verb}")


def write(key: str) -> Change:
    return lambda both: both.put(f"/v1/kv/{key}", content=b"changed")


def delete(key: str) -> Change:
    return lambda both: both.delete(f"/v1/kv/{key}")


def node(name: str, **meta: str) -> Change:
    return lambda both: both.put("/v1/catalog/register", json={"Node": name, "Address": "10.0.0.1", "NodeMeta": meta})


def node_check(both: Both) -> object:
    return both.put("/v1/agent/check/register", json={"ID": "disk", "Name": "disk", "TTL": "10m"})


@pytest.fixture
def filled(both: Both) -> Both:
    ttl = {"TTL": "10m", "Status": "passing"}
    for name in ("web", "db"):
        register(name, Check=ttl)(both)
    for key in ("a/one", "a/two", "b/one"):
        both.put(f"/v1/kv/{key}", content=b"x")
    node("other")(both)
    return both


WAKES: tuple[tuple[str, Change], ...] = (
    ("/v1/health/service/web", check("fail", "web")),
    ("/v1/health/service/web", check("pass", "web")),  # the output is another
    ("/v1/health/service/web?passing", check("fail", "web")),
    ("/v1/health/service/web", node_check),
    ("/v1/health/service/web?passing", node_check),
    ("/v1/health/service/web", register("web", Port=9)),
    ("/v1/health/service/web", deregister("web")),
    ("/v1/health/service/new", register("new")),
    ("/v1/health/service/web?tag=x", register("web", Tags=["x"])),
    ("/v1/catalog/service/web", register("web", Port=9)),
    ("/v1/catalog/service/web", deregister("web")),
    ("/v1/catalog/service/new", register("new")),
    ("/v1/catalog/services", register("new")),
    ("/v1/catalog/services", register("web", Tags=["x"])),
    ("/v1/catalog/services", deregister("web")),
    ("/v1/catalog/nodes", node("another")),
    ("/v1/catalog/nodes", node("other", rack="r9")),
    ("/v1/catalog/node/laptop", register("new")),
    ("/v1/catalog/node-services/laptop", deregister("web")),
    ("/v1/health/checks/web", check("warn", "web")),
    ("/v1/health/node/laptop", check("warn", "web")),
    ("/v1/health/state/critical", check("fail", "web")),
    ("/v1/health/state/any", check("warn", "web")),
    ("/v1/kv/a/one", write("a/one")),
    ("/v1/kv/a/one", delete("a/one")),
    ("/v1/kv/a/?recurse", write("a/three")),
    ("/v1/kv/a/?recurse", delete("a/two")),
    ("/v1/kv/a/?recurse", delete("a/?recurse")),
    ("/v1/kv/a/?keys", write("a/three")),
    ("/v1/kv/a/?keys", delete("a/one")),
)


@pytest.mark.parametrize(("path", "change"), WAKES, ids=lambda of: of if isinstance(of, str) else "")
def test_wakes(filled: Both, path: str, change: Change) -> None:
    since = filled.get(path)
    with filled.woken(path, since):
        change(filled)
    # What it then says is what a read says that did not wait.
    filled.get(path, filled.servers[0].client.get(path).status_code)


def test_wakes_at_a_key_that_is_not_there(filled: Both) -> None:
    since = filled.get("/v1/kv/c", 404)
    with filled.woken("/v1/kv/c", since):
        write("c")(filled)


SLEEPS: tuple[tuple[str, Change], ...] = (
    ("/v1/health/service/web", check("fail", "db")),
    ("/v1/health/service/web", register("new")),
    ("/v1/health/service/web", deregister("db")),
    ("/v1/health/service/web", write("a/one")),
    ("/v1/health/service/web", node("another")),
    ("/v1/catalog/service/web", register("db", Port=7)),
    ("/v1/catalog/services", check("fail", "web")),
    ("/v1/catalog/services", write("a/one")),
    ("/v1/catalog/nodes", register("new")),
    ("/v1/health/state/any", register("new")),
    ("/v1/kv/a/one", write("a/two")),
    ("/v1/kv/a/one", delete("a/two")),
    ("/v1/kv/a/one", register("new")),
    ("/v1/kv/a/?recurse", write("b/one")),
    ("/v1/kv/a/?recurse", delete("b/one")),
    ("/v1/kv/a/?keys", write("b/one")),
)


@pytest.mark.parametrize(("path", "change"), SLEEPS, ids=lambda of: of if isinstance(of, str) else "")
def test_sleeps(filled: Both, path: str, change: Change) -> None:
    since = filled.get(path)
    with filled.asleep(path, since):
        change(filled)


def test_what_is_unchanged_wakes_nobody(filled: Both) -> None:
    check("pass", "web")(filled)
    since = filled.get("/v1/health/service/web")
    with filled.asleep("/v1/health/service/web", since):
        check("pass", "web")(filled)


@pytest.mark.parametrize("path", ["/v1/health/service/web", "/v1/kv/a/one", "/v1/catalog/services"])
def test_at_once(filled: Both, path: str) -> None:
    """index=0, and any index that is behind."""
    for index in ("0", "1"):
        filled.get(f"{path}?index={index}&wait=60s")


def test_a_service_that_comes_back(filled: Both) -> None:
    path = "/v1/health/service/web"
    since = filled.get(path)
    with filled.woken(path, since):
        deregister("web")(filled)
    since = filled.get(path)
    with filled.woken(path, since):
        register("web")(filled)
    filled.get(path)


def test_a_filter_that_hides_the_change(filled: Both) -> None:
    """Wakes all the same: a filter changes what is shown, not what is waited for."""
    since = filled.get("/v1/health/service/web", params={"filter": "Service.Port == 1"})
    with filled.woken("/v1/health/service/web", since, filter="Service.Port == 1"):
        register("web", Port=2)(filled)
