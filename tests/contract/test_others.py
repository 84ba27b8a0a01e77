"""The agent itself, events, status, coordinates, and what is there for tools."""

from __future__ import annotations

import pytest

from .both import Both

pytestmark = pytest.mark.consul


@pytest.mark.parametrize("path", ["self", "host", "members", "metrics", "version"])
def test_agent(both: Both, path: str) -> None:
    both.get(f"/v1/agent/{path}", 404 if path == "version" else 200)
    both.put(f"/v1/agent/{path}", 404 if path == "version" else 405)


def test_members(both: Both) -> None:
    both.get("/v1/agent/members?wan=1")
    both.get("/v1/agent/members?segment=_all")


def test_status(both: Both) -> None:
    both.get("/v1/status/leader")
    both.get("/v1/status/peers")
    both.put("/v1/status/leader", 405)


def test_coordinates(both: Both) -> None:
    both.get("/v1/coordinate/datacenters")
    both.get("/v1/coordinate/nodes")
    both.get("/v1/coordinate/node/nowhere", 404)


def test_events(both: Both) -> None:
    both.get("/v1/event/list?name=none-yet")
    both.put("/v1/event/fire/deploy", content=b"payload")
    both.put("/v1/event/fire/deploy")
    both.put("/v1/event/fire/other?node=x&service=y&tag=z", content=b"p")
    both.until("/v1/event/list?name=deploy", lambda events: len(events) == 2)
    both.get("/v1/event/list?name=other")  # for another node
    both.get("/v1/event/list?name=nope")
    both.put("/v1/event/fire/", 400)
    both.put("/v1/event/fire/x?service=y&tag=(", 500)
    both.call("POST", "/v1/event/fire/deploy", 405)
    both.get("/v1/event/fire/deploy", 405)


def test_events_wake(both: Both) -> None:
    since = both.get("/v1/event/list?name=wake")
    with both.woken("/v1/event/list", since, name="wake"):
        both.put("/v1/event/fire/wake")


def test_operator(both: Both) -> None:
    both.get("/v1/operator/raft/configuration")


@pytest.mark.parametrize(
    "path",
    ["acl/token/self", "acl/tokens", "acl/list", "acl/info/anonymous", "acl/replication"],
)
def test_tokens(both: Both, path: str) -> None:
    both.get(f"/v1/{path}", 401)


def test_acl_bootstrap(both: Both) -> None:
    both.put("/v1/acl/bootstrap", 401)
    both.put("/v1/acl/create", 401, json={})
    both.call("POST", "/v1/acl/login", 401, json={})


def test_any_token_will_do(both: Both) -> None:
    """Where tokens are off."""
    both.get("/v1/catalog/services", headers={"X-Consul-Token": "anything"})
    both.get("/v1/catalog/services?token=anything")
    both.get("/v1/catalog/services", headers={"Authorization": "Bearer anything"})


def test_reload_and_join(both: Both) -> None:
    both.put("/v1/agent/reload")
    both.put("/v1/agent/force-leave/nowhere", 500)
    both.get("/v1/agent/reload", 405)
