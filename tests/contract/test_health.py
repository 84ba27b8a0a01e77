"""Health: which instances are there, and how each is."""

from __future__ import annotations

import pytest

from .both import Both

pytestmark = pytest.mark.consul


@pytest.fixture
def three(both: Both) -> Both:
    """One instance in each state, and one without a check."""
    for status in ("passing", "warning", "critical"):
        check = {"TTL": "10m", "Status": status}
        both.put(
            "/v1/agent/service/register", json={"ID": f"w-{status}", "Name": "web", "Tags": [status], "Check": check}
        )
    both.put("/v1/agent/service/register", json={"ID": "w-unchecked", "Name": "web"})
    return both


def test_instances(three: Both) -> None:
    three.get("/v1/health/service/web")
    three.get("/v1/health/checks/web")
    three.get("/v1/health/node/laptop")


@pytest.mark.parametrize("value", ["passing", "passing=", "passing=true", "passing=1", "passing=0", "passing=false"])
def test_passing(three: Both, value: str) -> None:
    three.get(f"/v1/health/service/web?{value}")


def test_passing_refused(three: Both) -> None:
    three.get("/v1/health/service/web?passing=maybe", 400)


@pytest.mark.parametrize("state", ["any", "passing", "warning", "critical", "unknown", "nonsense"])
def test_states(three: Both, state: str) -> None:
    three.get(f"/v1/health/state/{state}")


def test_with_tags(three: Both) -> None:
    three.get("/v1/health/service/web?tag=warning")
    three.get("/v1/health/service/web?tag=warning&passing")
    three.get("/v1/health/service/web?tag=warning&tag=passing")


def test_the_node_itself(both: Both) -> None:
    both.get("/v1/health/node/laptop")
    both.get("/v1/health/state/any")


def test_a_node_that_is_critical(both: Both) -> None:
    """A node's check counts for all that is on it."""
    both.put("/v1/agent/service/register", json={"ID": "w", "Name": "web"})
    both.put("/v1/agent/check/register", json={"ID": "disk", "Name": "disk", "TTL": "10m"})
    both.get("/v1/health/service/web")
    both.get("/v1/health/service/web?passing")
    both.put("/v1/agent/check/warn/disk")
    both.get("/v1/health/service/web?passing")


def test_connect_and_ingress(three: Both) -> None:
    for path in ("/v1/health/connect/web", "/v1/catalog/connect/web", "/v1/health/ingress/web"):
        three.get(path)


def test_two_of_one_id(both: Both) -> None:
    """The later has it."""
    both.put("/v1/agent/service/register", json={"ID": "one", "Name": "first", "Port": 1, "Check": {"TTL": "10m"}})
    both.put("/v1/agent/service/register", json={"ID": "one", "Name": "second", "Port": 2})
    for name in ("first", "second"):
        both.get(f"/v1/health/service/{name}")
    both.get("/v1/agent/checks")
