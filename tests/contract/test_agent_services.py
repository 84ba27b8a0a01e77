"""Services as an agent is told of them."""

from __future__ import annotations

import pytest

from .both import Both

pytestmark = pytest.mark.consul

FULL = {
    "ID": "web-1",
    "Name": "web",
    "Tags": ["primary", "v1"],
    "Address": "10.0.0.7",
    "Port": 8080,
    "Meta": {"version": "1.2", "zone": "a"},
    "EnableTagOverride": True,
    "Weights": {"Passing": 10, "Warning": 2},
    "TaggedAddresses": {"lan": {"Address": "10.0.0.7", "Port": 8080}, "wan": {"Address": "1.2.3.4", "Port": 80}},
}


def test_all_of_a_service(both: Both) -> None:
    both.put("/v1/agent/service/register", json=FULL)
    for path in ("/v1/agent/services", "/v1/agent/service/web-1", "/v1/agent/checks", "/v1/catalog/services"):
        both.get(path)
    for path in ("/v1/catalog/service/web", "/v1/health/service/web", "/v1/health/checks/web"):
        both.get(path)


def test_least_of_a_service(both: Both) -> None:
    """ID is Name; no address, no port, weights of 1."""
    both.put("/v1/agent/service/register", json={"Name": "web"})
    for path in ("/v1/agent/services", "/v1/agent/service/web", "/v1/catalog/service/web", "/v1/health/service/web"):
        both.get(path)


@pytest.mark.parametrize(
    "body",
    [
        {"name": "web", "id": "lower", "port": 80, "tags": ["x"], "meta": {"Key": "Value"}},
        {"Name": "web", "enable_tag_override": True, "tagged_addresses": {"lan": {"address": "10.0.0.1", "port": 1}}},
        {"Name": "web", "EnableTagOverride": True, "Weights": {"passing": 3, "warning": 0}},
        {"Name": "web", "Weights": {"Passing": 3}},
        {"Name": "web", "Tags": None, "Meta": None, "Address": ""},
        {"Name": "web", "Tags": [], "Meta": {}},
        {"Name": "web", "ID": "", "Tags": ["b", "a", "b"]},
        {"Name": "Web_1 with spaces/and ü", "ID": "odd id"},
        {"Name": "web", "Port": 70000},
        {"Name": "web", "Address": "not an address"},
        {"Name": "web", "Address": "example.com", "Port": 443},
        {"Name": "web", "Address": "::1", "Port": 443},
        {"Name": "go.micro.api.greeter", "ID": "greeter-1a2b", "Port": 1},
    ],
)
def test_spellings(both: Both, body: dict[str, object]) -> None:
    both.put("/v1/agent/service/register", json=body)
    both.get("/v1/agent/services")
    both.get(f"/v1/health/service/{body.get('Name', 'web')}")
    both.get("/v1/catalog/services")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {}),
        (400, {"Name": ""}),
        (400, {"ID": "x"}),
        (400, {"Name": "web", "Port": "eighty"}),
        (400, {"Name": "web", "Port": "80"}),
        (400, {"Name": "web", "Port": 80.5}),
        (400, {"Name": "web", "Tags": "x"}),
        (400, {"Name": "web", "Meta": {"k": 1}}),
        (400, {"Name": "web", "Meta": {"bad key!": "x"}}),
        (400, {"Name": "web", "Meta": {"consul-x": "x"}}),
        (400, {"Name": "web", "Meta": {"": "x"}}),
        (400, {"Name": "web", "Meta": {"k" * 129: "x"}}),
        (400, {"Name": "web", "Meta": {"k": "v" * 513}}),
        (400, {"Name": "web", "Meta": {f"k{number}": "" for number in range(65)}}),
        (400, {"Name": "web", "Address": "0.0.0.0"}),
        (400, {"Name": "web", "Address": "::"}),
        (400, {"Name": "web", "Weights": {"Passing": -1}}),
        (400, {"Name": "web", "Weights": {"Passing": 0, "Warning": 0}}),
        (400, {"Name": "web", "Weights": {"Passing": 1, "Warning": -1}}),
        (400, {"Name": "web", "Weights": {"Passing": 65536}}),
        (400, {"Name": "web", "Unknown": 1}),
        (200, {"Name": "web", "Kind": "nonsense"}),
        (400, {"Name": "web", "Check": {"TTL": "soon"}}),
        (400, {"Name": "web", "Check": {"HTTP": "http://x"}}),
        (400, {"Name": "web", "Check": {"Interval": "10s"}}),
        (400, {"Name": "web", "Check": {"TTL": "10s", "Status": "fine"}}),
        (400, {"Name": "web", "Check": {"TTL": "10s", "TCP": "x:1", "Interval": "1s"}}),
        (400, {"Name": "web", "Check": {"TTL": "10s"}, "Checks": [{"Interval": "1s"}]}),
        (500, {"Name": "web", "Check": {"Args": ["true"], "Interval": "10s"}}),
        (400, []),
        (400, "web"),
        (400, None),
    ],
)
def test_what_is_refused(both: Both, status: int, body: object) -> None:
    both.put("/v1/agent/service/register", status, json=body)
    both.get("/v1/agent/services")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"Name": "web", "Name": "b"}'])
def test_bytes_that_are_no_service(both: Both, body: bytes) -> None:
    broken = body in (b"", b"{", b"\xff\xfe")
    both.put("/v1/agent/service/register", 400 if broken else 200, content=body)
    both.get("/v1/agent/services")


def test_registered_again_it_is_replaced(both: Both) -> None:
    both.put("/v1/agent/service/register", json=FULL)
    both.put("/v1/agent/service/register", json={"ID": "web-1", "Name": "web", "Port": 9})
    both.get("/v1/agent/service/web-1")
    both.put("/v1/agent/service/register", json={"ID": "web-1", "Name": "renamed"})
    both.get("/v1/catalog/services")
    both.get("/v1/catalog/service/web")
    both.get("/v1/catalog/service/renamed")


def test_the_same_again_changes_nothing(both: Both) -> None:
    both.put("/v1/agent/service/register", json=FULL)
    both.get("/v1/health/service/web")
    both.put("/v1/agent/service/register", json=FULL)
    both.get("/v1/health/service/web")


def test_checks_stay_unless_replaced(both: Both) -> None:
    check = {"CheckID": "extra", "Name": "extra", "TTL": "10m"}
    both.put("/v1/agent/service/register", json={**FULL, "Checks": [check, {"TTL": "5m"}]})
    both.get("/v1/agent/checks")
    both.put("/v1/agent/service/register", json={**FULL, "Check": {"TTL": "1m"}})
    both.get("/v1/agent/checks")
    both.put("/v1/agent/service/register?replace-existing-checks=true", json={**FULL, "Check": {"TTL": "1m"}})
    both.get("/v1/agent/checks")
    both.put("/v1/agent/service/register?replace-existing-checks", json=FULL)
    both.get("/v1/agent/checks")


def test_deregistered(both: Both) -> None:
    both.put("/v1/agent/service/register", json={**FULL, "Check": {"TTL": "5m"}})
    both.put("/v1/agent/service/deregister/web-1")
    both.get("/v1/agent/service/web-1", 404)
    both.get("/v1/agent/checks")
    both.get("/v1/catalog/service/web")
    both.get("/v1/catalog/services")
    both.put("/v1/agent/service/deregister/web-1")
    both.put("/v1/agent/service/deregister/", 500)


def test_maintenance(both: Both) -> None:
    both.put("/v1/agent/service/register", json=FULL)
    both.put("/v1/agent/service/maintenance/web-1?enable=true&reason=because")
    both.get("/v1/agent/checks")
    both.get("/v1/health/service/web")
    both.get("/v1/health/service/web?passing")
    both.put("/v1/agent/service/maintenance/web-1?enable=true&reason=again")
    both.get("/v1/agent/checks")
    both.put("/v1/agent/service/maintenance/web-1?enable=false")
    both.get("/v1/agent/checks")
    both.put("/v1/agent/service/maintenance/web-1?enable=true")
    both.get("/v1/agent/checks")


def test_maintenance_refused(both: Both) -> None:
    both.put("/v1/agent/service/register", json=FULL)
    both.put("/v1/agent/service/maintenance/web-1", 400)
    both.put("/v1/agent/service/maintenance/web-1?enable=maybe", 400)
    both.put("/v1/agent/service/maintenance/nope?enable=true", 404)
    both.put("/v1/agent/service/maintenance/?enable=true", 400)
    both.call("GET", "/v1/agent/service/maintenance/web-1?enable=true", 405)


def test_maintenance_of_the_node(both: Both) -> None:
    both.put("/v1/agent/service/register", json=FULL)
    both.put("/v1/agent/maintenance?enable=true&reason=upgrade")
    both.get("/v1/agent/checks")
    both.get("/v1/health/service/web")
    both.get("/v1/health/service/web?passing")
    both.get("/v1/health/node/laptop")
    both.put("/v1/agent/maintenance?enable=false")
    both.get("/v1/agent/checks")
    both.put("/v1/agent/maintenance?enable=true")
    both.get("/v1/agent/checks")
    both.put("/v1/agent/maintenance", 400)
    both.put("/v1/agent/maintenance?enable=x", 400)


def test_one_service_by_hash(both: Both) -> None:
    both.put("/v1/agent/service/register", json=FULL)
    first = both.get("/v1/agent/service/web-1")
    both.keep("hash", first, "ContentHash")
    both.get("/v1/agent/service/web-1?hash={hash}&wait=200ms")
    both.get("/v1/agent/service/web-1?hash=other&wait=60s")
    both.put("/v1/agent/service/register", json={**FULL, "Port": 9})
    both.get("/v1/agent/service/web-1?hash={hash}&wait=60s")
    both.get("/v1/agent/service/nope?hash={hash}", 404)
    both.get("/v1/agent/service/", 404)


def test_filter(both: Both) -> None:
    both.put("/v1/agent/service/register", json=FULL)
    both.put("/v1/agent/service/register", json={"ID": "db", "Name": "db", "Port": 5432})
    both.get("/v1/agent/services", params={"filter": "Service == web"})
    both.get("/v1/agent/services", params={"filter": "Port == 5432 or primary in Tags"})
    both.get("/v1/agent/services", params={"filter": "Meta.zone != a"})
    both.get("/v1/agent/services", 500, params={"filter": "Nope == a"})
    both.get("/v1/agent/services", 500, params={"filter": "Service =="})


def test_ids_that_need_escapes(both: Both) -> None:
    for name in ("a b", "a/b", "a%2Fb", "ä", "a?b", "a:b"):
        both.put("/v1/agent/service/register", json={"ID": name, "Name": "odd"})
    both.get("/v1/agent/services")
    for path in ("a%20b", "a/b", "a%2Fb", "a%252Fb", "%C3%A4", "a%3Fb", "a:b"):
        both.get(f"/v1/agent/service/{path}", 404 if path == "a%2Fb" else 200)
        both.put(f"/v1/agent/service/deregister/{path}")
    both.get("/v1/agent/services")
