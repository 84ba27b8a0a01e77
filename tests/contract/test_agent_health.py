"""How an agent's service is, as scripts and load balancers ask: the status code says it."""

from __future__ import annotations

import pytest

from .both import Both

pytestmark = pytest.mark.consul


def test_health_of_one(both: Both) -> None:
    for number, status in enumerate(["passing", "warning", "critical"]):
        check = {"TTL": "10m", "Status": status}
        both.put("/v1/agent/service/register", json={"ID": f"s{number}", "Name": status, "Check": check})
    both.put("/v1/agent/service/register", json={"ID": "unchecked", "Name": "unchecked"})
    for number, code in enumerate([200, 429, 503]):
        both.get(f"/v1/agent/health/service/id/s{number}", code)
        both.get(f"/v1/agent/health/service/id/s{number}?format=text", code)
        both.call("GET", f"/v1/agent/health/service/id/s{number}", code, headers={"Accept": "text/plain"})
    both.get("/v1/agent/health/service/id/unchecked")
    both.get("/v1/agent/health/service/id/nope", 404)
    both.get("/v1/agent/health/service/id/nope?format=text", 404)
    both.get("/v1/agent/health/service/id/", 500)
    for name, code in (("passing", 200), ("warning", 429), ("critical", 503), ("unchecked", 200), ("nope", 404)):
        both.get(f"/v1/agent/health/service/name/{name}", code)
        both.get(f"/v1/agent/health/service/name/{name}?format=text", code)
    both.get("/v1/agent/health/service/name/", 500)


def test_health_of_many(both: Both) -> None:
    """The worst of a name's instances, and of the node."""
    for number, status in enumerate(["passing", "warning"]):
        check = {"TTL": "10m", "Status": status}
        both.put("/v1/agent/service/register", json={"ID": f"m{number}", "Name": "many", "Check": check})
    both.get("/v1/agent/health/service/name/many?format=text", 429)
    both.put("/v1/agent/service/maintenance/m0?enable=true&reason=x")
    both.get("/v1/agent/health/service/id/m0", 503)
    both.get("/v1/agent/health/service/id/m1", 429)
    both.get("/v1/agent/health/service/name/many?format=text", 503)
    both.put("/v1/agent/maintenance?enable=true")
    both.get("/v1/agent/health/service/id/m1", 503)
