"""The calls of Prometheus (consul_sd) and of Spring Cloud Consul, as they make them: answered as by a real Consul."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from ..contract import servers
from ..contract.both import Both
from ..contract.conftest import both, pair

__all__ = ["both", "pair"]

pytestmark = pytest.mark.consul

APPLICATION = {
    "ID": "shop-8080",
    "Name": "shop",
    "Tags": ["team=a"],
    "Address": "127.0.0.1",
    "Meta": {"secure": "false"},
    "Port": 8080,
    "Check": {"TTL": "30s", "DeregisterCriticalServiceAfter": "10m"},
}


def test_prometheus(both: Both) -> None:
    """discovery/consul: who are you, watch the services, and one watch a service."""
    both.put("/v1/agent/service/register", json=APPLICATION)
    both.get("/v1/agent/self")
    since = both.get("/v1/catalog/services?stale=&wait=120000ms")
    with both.woken("/v1/catalog/services?stale=", since):
        both.put("/v1/agent/service/register", json={"Name": "other", "Tags": ["x"]})
    for name in ("shop", "other"):
        both.get(f"/v1/health/service/{name}?stale=&wait=120000ms&index=0")
    since = both.get("/v1/health/service/shop?stale=&wait=120000ms")
    with both.woken("/v1/health/service/shop?stale=", since):
        both.put("/v1/agent/check/pass/service:shop-8080")
    both.get("/v1/health/service/shop?stale=&tag=team%3Da&tag=nope")
    both.get("/v1/catalog/services?node-meta=rack%3Aone&stale=")


def test_spring_discovery(both: Both) -> None:
    both.put("/v1/agent/service/register?token=", json=APPLICATION)
    both.put("/v1/agent/check/pass/service:shop-8080?token=")
    both.get("/v1/agent/services?token=")
    both.get("/v1/health/service/shop?passing=true&wait=-1s&token=")
    both.get("/v1/health/service/shop?passing=false&token=")
    both.get("/v1/health/checks/shop?token=")
    since = both.get("/v1/catalog/services?wait=2s&token=")
    with both.woken("/v1/catalog/services?token=", since):
        both.put("/v1/agent/service/deregister/shop-8080?token=")
    both.get("/v1/status/leader")  # its health indicator
    both.get("/v1/agent/self?token=")
    both.get("/v1/catalog/nodes?token=")


def test_spring_maintenance(both: Both) -> None:
    both.put("/v1/agent/service/register", json=APPLICATION)
    both.put("/v1/agent/service/maintenance/shop-8080?enable=true&token=")
    both.get("/v1/health/checks/shop?token=")
    both.put("/v1/agent/service/maintenance/shop-8080?enable=false&token=")
    both.get("/v1/health/service/shop?passing&token=")


def test_spring_configuration(both: Both) -> None:
    """config/<application>,<profile>/ and a watch for each."""
    both.put("/v1/kv/config/shop/greeting", content=b"hello")
    both.put("/v1/kv/config/shop,dev/greeting", content=b"hi")
    for context in ("config/shop,dev/", "config/shop/", "config/application/"):
        both.get(f"/v1/kv/{context}?recurse&token=", 404 if context == "config/application/" else 200)
    since = both.get("/v1/kv/config/shop/?recurse&token=")
    with both.woken("/v1/kv/config/shop/?recurse&token=", since):
        both.put("/v1/kv/config/shop/greeting", content=b"good day")


@pytest.fixture
def ours() -> Iterator[httpx.Client]:
    with servers.ours() as agent, httpx.Client(base_url=agent.url, trust_env=False) as client:
        yield client


def test_spring_events(ours: httpx.Client) -> None:
    """It fires with POST and lists at `/v1/events`, neither of which Consul 1.8 takes."""
    assert ours.post("/v1/event/fire/refresh?node=", content=b"x").json()["Name"] == "refresh"
    assert [event["Name"] for event in ours.get("/v1/events").json()] == ["refresh"]
