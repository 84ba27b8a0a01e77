"""py-consul: https://github.com/criteo/py-consul."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import consul

from ..consul_binary import NODE, Agent

pytestmark = pytest.mark.consul


@pytest.fixture
def client(agent: Agent) -> Iterator[Any]:
    host, _, port = agent.http.partition(":")
    made = consul.Consul(host=host, port=int(port))
    yield made
    for name in made.agent.services():
        made.agent.service.deregister(name)
    made.kv.delete("", recurse=True)
    made.http.close()


def passing(client: Any, name: str, **more: Any) -> list[str]:
    return [entry["Service"]["ID"] for entry in client.health.service(name, passing=True, **more)[1]]


def eventually(client: Any, name: str, ids: list[str]) -> None:
    """A real agent tells its servers a little later: blocking queries until they know."""
    index, found = client.health.service(name, passing=True)
    while sorted(entry["Service"]["ID"] for entry in found) != ids:
        last = index
        index, found = client.health.service(name, passing=True, index=last, wait="10s")
        assert index != last, f"nothing new within 10 s: {found}"


def test_agent(client: Any) -> None:
    assert client.agent.self()["Config"]["NodeName"] == NODE
    assert [member["Name"] for member in client.agent.members()] == [NODE]
    assert client.status.leader()
    assert len(client.status.peers()) == 1
    assert client.catalog.datacenters() == ["dc1"]
    assert [node["Node"] for node in client.catalog.nodes()[1]] == [NODE]


def test_register_pass_and_deregister(client: Any) -> None:
    client.agent.service.register(
        *("web", "web-1"),
        address="10.0.0.7",
        port=80,
        tags=["primary"],
        meta={"version": "1"},
        check=consul.Check.ttl("10m"),
        weights={"Passing": 5, "Warning": 1},
    )
    assert client.agent.services()["web-1"]["Weights"] == {"Passing": 5, "Warning": 1}
    eventually(client, "web", [])
    client.agent.check.ttl_pass("service:web-1", notes="fine")
    eventually(client, "web", ["web-1"])
    assert passing(client, "web", tag="primary") == ["web-1"]
    assert passing(client, "web", tag="other") == []
    assert client.catalog.services()[1]["web"] == ["primary"]
    assert client.catalog.service("web")[1][0]["ServiceMeta"] == {"version": "1"}
    assert [check["Status"] for check in client.health.checks("web")[1]] == ["passing"]
    client.agent.service.maintenance("web-1", "true", "because")
    eventually(client, "web", [])
    client.agent.service.maintenance("web-1", "false")
    eventually(client, "web", ["web-1"])
    client.agent.service.deregister("web-1")
    eventually(client, "web", [])


def test_health_wakes(client: Any) -> None:
    client.agent.service.register("web", "web-1", check=consul.Check.ttl("10m"))
    client.agent.check.ttl_pass("service:web-1")
    eventually(client, "web", ["web-1"])
    index, _ = client.health.service("web")
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(client.health.service, "web", index=index, wait="30s")
        client.agent.check.ttl_fail("service:web-1", notes="broken")
        later, found = waiting.result(15)
    assert int(later) > int(index)
    assert [check["Output"] for check in found[0]["Checks"] if check["CheckID"] != "serfHealth"] == ["broken"]
    client.agent.service.deregister("web-1")


def test_kv(client: Any) -> None:
    assert client.kv.put("a/one", "1", flags=7)
    assert client.kv.put("a/two", b"\x00\xff")
    index, entry = client.kv.get("a/one")
    assert (entry["Value"], entry["Flags"]) == (b"1", 7)
    assert client.kv.get("a/", keys=True)[1] == ["a/one", "a/two"]
    assert [one["Value"] for one in client.kv.get("a/", recurse=True)[1]] == [b"1", b"\x00\xff"]
    assert client.kv.get("nope")[1] is None
    assert not client.kv.put("a/one", "2", cas=0)
    assert not client.kv.put("a/one", "2", cas=1)
    assert client.kv.put("a/one", "2", cas=entry["ModifyIndex"])
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(client.kv.get, "a/one", index=client.kv.get("a/one")[0], wait="30s")
        client.kv.put("a/one", "3")
        later, changed = waiting.result(15)
    assert int(later) > int(index)
    assert changed["Value"] == b"3"
    assert client.kv.delete("a/", recurse=True)
    assert client.kv.get("a/", keys=True)[1] is None


def test_sessions_and_locks(client: Any) -> None:
    mine, theirs = (client.session.create(name=name, ttl=20, lock_delay=0) for name in ("mine", "theirs"))
    assert client.kv.put("py-lock", "me", acquire=mine)
    assert not client.kv.put("py-lock", "them", acquire=theirs)
    assert client.kv.get("py-lock")[1]["Session"] == mine
    assert client.session.renew(mine)["Name"] == "mine"
    assert client.session.info(mine)[1]["TTL"] == "20s"
    assert {one["Name"] for one in client.session.list()[1]} == {"mine", "theirs"}
    assert len(client.session.node(NODE)[1]) == 2
    client.session.destroy(mine)
    assert client.session.info(mine)[1] is None
    assert client.kv.put("py-lock", "them", acquire=theirs)
    assert client.kv.put("py-lock", "", release=theirs)
    client.session.destroy(theirs)


def test_transactions(client: Any) -> None:
    value = base64.b64encode(b"x").decode()
    done = client.txn.put([{"KV": {"Verb": "set", "Key": key, "Value": value}} for key in ("t/1", "t/2")])
    assert [one["KV"]["Key"] for one in done["Results"]] == ["t/1", "t/2"]
    assert client.kv.get("t/2")[1]["Value"] == b"x"


def test_events(client: Any) -> None:
    fired = client.event.fire("deploy", "now")
    assert fired["Name"] == "deploy"
    index, events = client.event.list("deploy")
    while not events:
        index, events = client.event.list("deploy", index=index, wait="10s")
    assert events[-1]["Payload"] == b"now"


def test_other_nodes(client: Any) -> None:
    service = {"Service": "db", "ID": "db-1", "Port": 5432}
    check = {"CheckID": "alive", "Name": "alive", "Status": "passing", "ServiceID": "db-1"}
    assert client.catalog.register("host", "10.0.0.9", service=service, check=check)
    assert passing(client, "db") == ["db-1"]
    assert sorted(node["Node"] for node in client.catalog.nodes()[1]) == ["host", NODE]
    assert client.catalog.nodes(node_meta={"rack": "none"})[1] == []
    assert list(client.catalog.node("host")[1]["Services"]) == ["db-1"]
    assert client.catalog.deregister("host")
    assert client.catalog.service("db")[1] == []


def test_mistakes(client: Any) -> None:
    with pytest.raises(consul.ConsulException, match="does not have associated TTL"):
        client.agent.check.ttl_pass("nope")
    with pytest.raises(consul.exceptions.BadRequest):
        client.agent.service.register("web", port="eighty")
