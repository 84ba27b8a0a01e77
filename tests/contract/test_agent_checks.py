"""Checks as an agent is told of them, and told how they are."""

from __future__ import annotations

import pytest

from .both import Both

pytestmark = pytest.mark.consul


@pytest.fixture
def web(both: Both) -> Both:
    both.put("/v1/agent/service/register", json={"ID": "web-1", "Name": "web", "Tags": ["t"], "Port": 80})
    return both


@pytest.mark.parametrize(
    "check",
    [
        {"TTL": "10m"},
        {"TTL": "10m", "Name": "alive", "Notes": "a note", "Status": "passing"},
        {"TTL": "10m", "CheckID": "mine", "Name": "alive", "Status": "warning"},
        {"ttl": "10m", "checkid": "lower", "deregister_critical_service_after": "90m"},
        {"TTL": "600s", "DeregisterCriticalServiceAfter": "95s"},
        {"TTL": "1h30m"},
        {"TTL": 600000000000},
    ],
)
def test_of_a_service(both: Both, check: dict[str, object]) -> None:
    both.put("/v1/agent/service/register", json={"ID": "web-1", "Name": "web", "Tags": ["t"], "Check": check})
    both.get("/v1/agent/checks")
    both.get("/v1/health/checks/web")


def test_many_of_a_service(both: Both) -> None:
    """Their ids are numbered."""
    checks = [{"TTL": "1m"}, {"TTL": "2m", "Name": "second"}, {"TTL": "3m", "CheckID": "third"}]
    both.put("/v1/agent/service/register", json={"ID": "web-1", "Name": "web", "Checks": checks})
    both.get("/v1/agent/checks")
    both.put("/v1/agent/service/register", json={"ID": "db-1", "Name": "db", "Check": checks[0], "Checks": checks[1:]})
    both.get("/v1/agent/checks")
    both.get("/v1/health/service/db")


def test_registered_apart(web: Both) -> None:
    web.put("/v1/agent/check/register", json={"Name": "node's own", "TTL": "10m"})
    web.put("/v1/agent/check/register", json={"Name": "of web", "ID": "w", "ServiceID": "web-1", "TTL": "10m"})
    web.get("/v1/agent/checks")
    web.get("/v1/health/node/laptop")
    web.get("/v1/health/service/web")
    web.put("/v1/agent/check/deregister/w")
    web.put("/v1/agent/check/deregister/w")
    web.put("/v1/agent/check/deregister/", 500)
    web.get("/v1/agent/checks")
    web.get("/v1/health/service/web")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {}),
        (400, {"TTL": "10m"}),
        (400, {"Name": "x"}),
        (400, {"Name": "x", "TTL": "soon"}),
        (400, {"Name": "x", "TTL": "-1s"}),
        (400, {"Name": "x", "TTL": -1}),
        (400, {"Name": "x", "TTL": "10m", "Status": "fine"}),
        (400, {"Name": "x", "TTL": "10m", "Interval": "10s"}),
        (400, {"Name": "x", "HTTP": "http://127.0.0.1:1/"}),
        (200, {"Name": "x", "HTTP": "http://127.0.0.1:1/", "TCP": "127.0.0.1:1", "Interval": "1m"}),
        (400, {"Name": "x", "Interval": "1m"}),
        (500, {"Name": "x", "Args": ["/bin/true"], "Interval": "1m"}),
        (400, {"Name": "x", "Script": "true", "Interval": "1m"}),
        (500, {"Name": "x", "TTL": "10m", "ServiceID": "nope"}),
        (400, {"Name": "x", "TTL": "10m", "Nonsense": True}),
        (400, {"Name": "x", "TTL": "10m", "DeregisterCriticalServiceAfter": "eventually"}),
        (400, {"Name": "x", "AliasService": "web-1", "TTL": "10s"}),
        (400, []),
    ],
)
def test_what_is_refused(both: Both, status: int, body: object) -> None:
    both.put("/v1/agent/check/register", status, json=body)
    both.get("/v1/agent/checks")


def test_told_how_it_is(web: Both) -> None:
    web.put("/v1/agent/check/register", json={"ID": "c", "Name": "c", "ServiceID": "web-1", "TTL": "10m"})
    web.get("/v1/health/checks/web")
    for verb in ("pass", "warn", "fail", "pass"):
        web.put(f"/v1/agent/check/{verb}/c?note={verb}ed%20it")
        web.get("/v1/agent/checks")
        web.get("/v1/health/service/web")
        web.get("/v1/health/service/web?passing")
    web.put("/v1/agent/check/pass/c")
    web.get("/v1/agent/checks")


def test_by_the_services_id(both: Both) -> None:
    """As go-micro does: `service:<id>`."""
    both.put("/v1/agent/service/register", json={"ID": "g-1a2b", "Name": "g", "Check": {"TTL": "90s"}})
    both.put("/v1/agent/check/pass/service:g-1a2b")
    both.get("/v1/health/service/g?passing")
    both.put("/v1/agent/check/pass/service%3Ag-1a2b?note=escaped")
    both.get("/v1/agent/checks")


def test_updated(web: Both) -> None:
    web.put("/v1/agent/check/register", json={"ID": "c", "Name": "c", "ServiceID": "web-1", "TTL": "10m"})
    for status in ("passing", "warning", "critical"):
        web.put("/v1/agent/check/update/c", json={"Status": status, "Output": f"it is {status}"})
        web.get("/v1/agent/checks")
    web.put("/v1/agent/check/update/c", json={"Status": "passing"})
    web.get("/v1/agent/checks")
    web.put("/v1/agent/check/update/c", json={"Status": "passing", "Output": "o" * 5000})
    web.get("/v1/agent/checks")
    web.put("/v1/agent/check/update/c", 400, json={"Status": "fine"})
    web.put("/v1/agent/check/update/c", 400, json={})
    web.put("/v1/agent/check/update/c", 400, content=b"{")
    web.put("/v1/agent/check/update/nope", 500, json={"Status": "passing"})
    web.put("/v1/agent/check/update/", 500, json={"Status": "passing"})


def test_told_of_what_is_not_there(web: Both) -> None:
    for verb in ("pass", "warn", "fail"):
        web.put(f"/v1/agent/check/{verb}/nope", 500)
        web.put(f"/v1/agent/check/{verb}/", 500)
        web.call("GET", f"/v1/agent/check/{verb}/nope", 405)
        web.call("POST", f"/v1/agent/check/{verb}/nope", 405)


def test_only_ttl_checks_are_told(web: Both) -> None:
    web.put(
        "/v1/agent/check/register",
        json={
            "ID": "tcp",
            "Name": "c",
            "ServiceID": "web-1",
            "TCP": "127.0.0.1:1",
            "Interval": "10m",
            "Status": "passing",
        },
    )
    web.put("/v1/agent/check/pass/tcp", 500)


def test_ttl_runs_out(web: Both) -> None:
    check = {"ID": "c", "Name": "c", "ServiceID": "web-1", "TTL": "300ms", "Status": "passing", "Notes": "n"}
    web.put("/v1/agent/check/register", json=check)
    web.until("/v1/health/checks/web", lambda checks: checks[0]["Status"] == "critical")
    web.get("/v1/agent/checks")
    web.put("/v1/agent/check/pass/c?note=again")
    web.until("/v1/health/checks/web", lambda checks: checks[0]["Status"] == "critical")


def test_alias(both: Both) -> None:
    both.put("/v1/agent/service/register", json={"ID": "a", "Name": "a", "Check": {"TTL": "10m"}})
    alias = {"Name": "alias", "AliasService": "a"}
    both.put("/v1/agent/service/register", json={"ID": "b", "Name": "b", "Check": alias})
    both.put("/v1/agent/check/fail/service:a?note=broken")
    both.until("/v1/health/checks/b", lambda checks: checks[0]["Status"] == "critical")
    both.put("/v1/agent/check/pass/service:a")
    both.until("/v1/health/checks/b", lambda checks: checks[0]["Status"] == "passing")


def test_filter(web: Both) -> None:
    web.put("/v1/agent/check/register", json={"ID": "c", "Name": "c", "ServiceID": "web-1", "TTL": "10m"})
    web.put("/v1/agent/check/register", json={"ID": "d", "Name": "d", "TTL": "10m", "Status": "passing"})
    web.get("/v1/agent/checks", params={"filter": "Status == passing"})
    web.get("/v1/agent/checks", params={"filter": "ServiceName == web"})
    web.get("/v1/agent/checks", 500, params={"filter": "Status =="})


def test_registered_again_keeps_how_it_is(web: Both) -> None:
    check = {"ID": "c", "Name": "c", "ServiceID": "web-1", "TTL": "10m"}
    web.put("/v1/agent/check/register", json=check)
    web.put("/v1/agent/check/pass/c?note=fine")
    web.put("/v1/agent/check/register", json=check)
    web.get("/v1/agent/checks")
    web.put("/v1/agent/check/register", json={**check, "Status": "warning"})
    web.get("/v1/agent/checks")
