"""The catalogue: registered with directly, and read."""

from __future__ import annotations

import pytest

from .both import Both

pytestmark = pytest.mark.consul

NODE = {"Node": "db-host", "Address": "10.0.0.9", "NodeMeta": {"rack": "r1"}, "TaggedAddresses": {"wan": "1.2.3.4"}}
SERVICE = {"ID": "db-1", "Service": "db", "Tags": ["master", "v9"], "Port": 5432, "Meta": {"version": "9"}}
CHECK = {"Node": "db-host", "CheckID": "alive", "Name": "alive", "Status": "passing", "ServiceID": "db-1"}
READS = (
    *("/v1/catalog/nodes", "/v1/catalog/node/db-host", "/v1/catalog/node-services/db-host", "/v1/catalog/services"),
    *("/v1/catalog/service/db", "/v1/catalog/connect/db", "/v1/health/service/db", "/v1/health/checks/db"),
    *("/v1/health/node/db-host", "/v1/health/state/any", "/v1/health/state/passing", "/v1/health/connect/db"),
)


def read(both: Both) -> None:
    for path in READS:
        both.get(path)


def test_a_node_alone(both: Both) -> None:
    both.put("/v1/catalog/register", json=NODE)
    read(both)


def test_a_service(both: Both) -> None:
    both.put("/v1/catalog/register", json={**NODE, "Service": SERVICE})
    read(both)


def test_a_service_and_a_check(both: Both) -> None:
    both.put("/v1/catalog/register", json={**NODE, "Service": SERVICE, "Check": CHECK})
    read(both)


def test_the_same_again_changes_nothing(both: Both) -> None:
    both.put("/v1/catalog/register", json={**NODE, "Service": SERVICE, "Check": CHECK})
    read(both)
    both.put("/v1/catalog/register", json={**NODE, "Service": SERVICE, "Check": CHECK})
    read(both)


def test_checks_with_a_definition(both: Both) -> None:
    definition = {
        "HTTP": "http://10.0.0.9/",
        "Interval": "10s",
        "Timeout": "1s",
        "DeregisterCriticalServiceAfter": "90m",
    }
    checks = [{**CHECK, "Definition": definition}, {"CheckID": "node", "Name": "node", "Status": "warning"}]
    both.put("/v1/catalog/register", json={**NODE, "Service": SERVICE, "Checks": checks})
    read(both)


def test_parts_later(both: Both) -> None:
    both.put("/v1/catalog/register", json={**NODE, "Service": SERVICE})
    both.put("/v1/catalog/register", json={"Node": "db-host", "Address": "10.0.0.9", "Check": CHECK})
    both.get("/v1/health/service/db")
    both.put("/v1/catalog/register", json={"Node": "db-host", "Address": "10.0.0.10"})
    both.get("/v1/catalog/node/db-host")
    skipped = {"Node": "db-host", "SkipNodeUpdate": True, "Service": {"Service": "cache"}}
    both.put("/v1/catalog/register", json=skipped)
    both.get("/v1/catalog/node/db-host")
    both.get("/v1/health/service/cache")


def test_services_on_the_agents_own_node_are_swept(both: Both) -> None:
    """Another node's are kept; ids default to names."""
    both.put("/v1/catalog/register", json={**NODE, "Service": {"Service": "only-a-name"}})
    both.get("/v1/catalog/service/only-a-name")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {}),
        (500, {"Node": "x"}),
        (500, {"Address": "10.0.0.1"}),
        (500, {"Node": "x", "Address": "10.0.0.1", "ID": "no-uuid"}),
        (500, {"Node": "x", "Address": "10.0.0.1", "Service": {"ID": "a"}}),
        (200, {"Node": "x", "Address": "10.0.0.1", "Check": {"Name": "c"}}),
        (200, {"Node": "x", "Address": "10.0.0.1", "Check": {"CheckID": "c", "Status": "fine"}}),
        (500, {"Node": "x", "Address": "10.0.0.1", "Check": {"CheckID": "c", "ServiceID": "nope"}}),
        (400, {"Node": "x", "Address": "10.0.0.1", "Service": {"Service": "a", "Port": "x"}}),
        (500, {"Node": "x", "Address": "10.0.0.1", "Service": {"Service": "a", "Address": "0.0.0.0"}}),
        (400, {"Node": "x", "Address": "10.0.0.1", "Nonsense": 1}),
        (500, {"Node": "x", "Address": "10.0.0.1", "Datacenter": "elsewhere"}),
        (200, {"Node": "x", "Address": "10.0.0.1", "NodeMeta": {"bad key!": "x"}}),
        (400, []),
    ],
)
def test_odd_registrations(both: Both, status: int, body: object) -> None:
    both.put("/v1/catalog/register", status, json=body)
    both.get("/v1/catalog/nodes")
    both.get("/v1/health/node/x")
    both.get("/v1/catalog/node/x")


def test_bytes_that_are_no_registration(both: Both) -> None:
    for body in (b"", b"{", b"null"):
        both.put("/v1/catalog/register", 500 if body == b"null" else 400, content=body)
        both.put("/v1/catalog/deregister", 500 if body == b"null" else 400, content=body)


def test_deregistered(both: Both) -> None:
    both.put("/v1/catalog/register", json={**NODE, "Service": SERVICE, "Check": CHECK})
    both.put("/v1/catalog/deregister", json={"Node": "db-host", "CheckID": "alive"})
    read(both)
    both.put("/v1/catalog/deregister", json={"Node": "db-host", "ServiceID": "db-1"})
    read(both)
    both.put("/v1/catalog/deregister", json={"Node": "db-host"})
    read(both)
    both.put("/v1/catalog/deregister", json={"Node": "db-host"})
    both.put("/v1/catalog/deregister", json={"Node": "db-host", "ServiceID": "nope"})
    both.put("/v1/catalog/deregister", 500, json={})


def test_what_is_not_there(both: Both) -> None:
    for path in READS:
        both.get(path.replace("db", "nothing"))


def test_missing_names(both: Both) -> None:
    for path in ("catalog/service/", "catalog/node/", "catalog/node-services/", "catalog/connect/"):
        both.get(f"/v1/{path}", 400)
    for path in ("health/service/", "health/checks/", "health/node/", "health/state/", "health/connect/"):
        both.get(f"/v1/{path}", 400)
    both.get("/v1/health/state/fine")


def test_datacenters(both: Both) -> None:
    both.get("/v1/catalog/datacenters")
    both.get("/v1/catalog/services?dc=dc1")
    for path in ("catalog/services", "catalog/nodes", "health/service/web", "health/state/any"):
        both.get(f"/v1/{path}?dc=elsewhere", 500)


def test_tags(both: Both) -> None:
    for number, tags in enumerate([["a", "b"], ["b", "c"], ["A"], []]):
        service = {"ID": f"t{number}", "Service": "tagged", "Tags": tags}
        both.put("/v1/catalog/register", json={**NODE, "Service": service})
    both.get("/v1/catalog/services")
    for query in ("tag=a", "tag=b", "tag=b&tag=c", "tag=A", "tag=none", "tag="):
        both.get(f"/v1/catalog/service/tagged?{query}")
        both.get(f"/v1/health/service/tagged?{query}")


def test_node_meta(both: Both) -> None:
    for name, meta in (("n1", {"rack": "r1", "os": "x"}), ("n2", {"rack": "r2"}), ("n3", None)):
        node = {"Node": name, "Address": "10.0.0.1", "NodeMeta": meta, "Service": {"Service": f"on-{name}"}}
        check = {"Node": name, "CheckID": "c", "Name": "c", "Status": "passing"}
        both.put("/v1/catalog/register", json={**node, "Check": check})
        both.put("/v1/catalog/register", json={"Node": name, "Address": "10.0.0.1", "Service": {"Service": "common"}})
    for query in ("node-meta=rack:r1", "node-meta=rack:r1&node-meta=os:x", "node-meta=rack", "node-meta=rack:zz"):
        for path in ("catalog/nodes", "catalog/services", "catalog/service/common", "health/service/common"):
            both.get(f"/v1/{path}?{query}")
        both.get(f"/v1/health/state/passing?{query}")
        both.get(f"/v1/health/checks/common?{query}")


def test_filters(both: Both) -> None:
    both.put("/v1/catalog/register", json={**NODE, "Service": SERVICE, "Check": CHECK})
    for path, expression in (
        ("catalog/nodes", "Meta.rack == r1"),
        ("catalog/service/db", "ServiceMeta.version == 9 and ServicePort != 1"),
        ("catalog/node/db-host", "Service == db"),
        ("catalog/node/db-host", "Service == other"),
        ("catalog/node-services/db-host", "master in Tags"),
        ("health/service/db", "Checks.Status == passing"),
        ("health/service/db", "Node.Node == other"),
        ("health/checks/db", "CheckID == alive"),
        ("health/node/db-host", "ServiceName == db"),
        ("health/state/any", "ServiceID == `db-1`"),
    ):
        both.get(f"/v1/{path}", params={"filter": expression})
        both.get(f"/v1/{path}", 500, params={"filter": "Nope == a"})
    both.get("/v1/catalog/services", params={"filter": "Nope == a"})


def test_near(both: Both) -> None:
    both.put("/v1/catalog/register", json={**NODE, "Service": SERVICE})
    both.put("/v1/catalog/register", json={**NODE, "Node": "other", "Service": SERVICE})
    for near in ("_agent", "db-host", "nowhere", "_ip"):
        both.get(f"/v1/catalog/nodes?near={near}")
        both.get(f"/v1/health/service/db?near={near}")


def test_order(both: Both) -> None:
    for node in ("n2", "n1"):
        for name in ("b", "a", "c"):
            service = {"ID": f"{name}-{node}", "Service": "ordered"}
            both.put("/v1/catalog/register", json={"Node": node, "Address": "10.0.0.1", "Service": service})
            check = {"Node": node, "CheckID": f"c-{name}", "Status": "passing", "ServiceID": f"{name}-{node}"}
            both.put("/v1/catalog/register", json={"Node": node, "Address": "10.0.0.1", "Check": check})
    both.get("/v1/catalog/nodes")
    both.get("/v1/catalog/service/ordered")
    both.get("/v1/health/service/ordered")
    both.get("/v1/health/checks/ordered")
    both.get("/v1/health/state/any")
    both.get("/v1/catalog/node-services/n1")


def test_a_node_renamed(both: Both) -> None:
    """By its id."""
    identity = "40e4a748-2192-161a-0510-9bf59fe950b5"
    both.put("/v1/catalog/register", json={**NODE, "ID": identity, "Service": SERVICE})
    both.get("/v1/catalog/node/db-host")
    both.put("/v1/catalog/register", json={**NODE, "ID": identity, "Node": "renamed"})
    both.get("/v1/catalog/nodes")
    both.get("/v1/catalog/service/db")
    both.get(f"/v1/catalog/node/{identity}")
