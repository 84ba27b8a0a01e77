"""Clients that nobody here wrote: py-consul, and the part of Consul's own command line that is about services."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import consul

from .. import consul_binary
from .serving import NODE, Serving


@pytest.fixture
def client(registry: Serving) -> Iterator[Any]:
    host, port = registry.address.split(":")
    made = consul.Consul(host=host, port=int(port))
    yield made
    made.http.session.close()


def test_py_consul_registers_and_reads(client: Any) -> None:
    check = consul.Check.ttl("1h")
    assert client.agent.service.register("py", service_id="py-1", port=80, tags=["a"], meta={"k": "v"}, check=check)
    assert client.agent.services()["py-1"]["Meta"] == {"k": "v"}
    assert client.health.service("py", passing=True)[1] == []
    assert client.agent.check.ttl_pass("service:py-1", "well")
    index, [entry] = client.health.service("py", passing=True, tag="a")
    assert (entry["Service"]["Port"], entry["Checks"][1]["Output"]) == (80, "well")
    assert client.health.checks("py")[1][0]["Status"] == "passing"
    assert client.catalog.service("py")[1][0]["ServiceID"] == "py-1"
    assert client.catalog.services()[1]["py"] == ["a"]
    assert client.agent.check.ttl_fail("service:py-1")
    assert int(index) < int(client.health.service("py")[0])
    assert client.agent.service.deregister("py-1")
    assert client.health.service("py")[1] == []


def test_py_consul_waits(client: Any, registry: Serving) -> None:
    index, _ = client.health.service("awaited")
    found: list[Any] = []
    number = registry.waiting()
    thread = threading.Thread(target=lambda: found.append(client.health.service("awaited", index=index, wait="20s")))
    thread.start()
    registry.until_waiting(number + 1)
    registry.register("awaited", Port=7)
    thread.join(30)
    [(_, [entry])] = found
    assert entry["Service"]["Port"] == 7


def test_py_consul_and_nodes_of_somebody_else(client: Any) -> None:
    service = {"Service": "mysql", "ID": "mysql-1", "Port": 3306}
    assert client.catalog.register("db-7", "10.0.0.7", service=service, check={"Name": "c", "Status": "passing"})
    assert [node["Node"] for node in client.catalog.nodes()[1]] == ["db-7", NODE]
    assert client.catalog.node("db-7")[1]["Services"]["mysql-1"]["Port"] == 3306
    assert client.health.node("db-7")[1][0]["CheckID"] == "c"
    assert client.catalog.deregister("db-7")
    assert client.catalog.node("db-7")[1] is None


def test_py_consul_and_the_agent(client: Any) -> None:
    assert client.agent.self()["Config"]["NodeName"] == NODE
    assert [member["Name"] for member in client.agent.members()] == [NODE]
    assert client.agent.maintenance(True, reason="because")
    assert client.agent.checks()["_node_maintenance"]["Notes"] == "because"
    assert client.agent.maintenance(False)
    assert "_node_maintenance" not in client.agent.checks()
    assert client.catalog.datacenters() == ["dc1"]


def command(registry: Serving, *arguments: str) -> str:
    """What Consul's own command says, on stdout and stderr."""
    line = [str(consul_binary.find()), *arguments]
    environment = {"CONSUL_HTTP_ADDR": registry.address}
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=30, check=False)
    return done.stdout + done.stderr


@pytest.mark.consul
def test_consuls_command_registers_and_lists(registry: Serving, tmp_path: Path) -> None:
    definition = {"service": {"name": "redis", "port": 6379, "tags": ["primary"], "check": {"ttl": "1h"}}}
    (tmp_path / "redis.json").write_text(json.dumps(definition))
    assert command(registry, "services", "register", str(tmp_path / "redis.json")) == "Registered service: redis\n"
    assert "Registered service: cli" in command(registry, "services", "register", "-name=cli", "-port=80", "-meta=a=b")
    lines = command(registry, "catalog", "services", "-tags").splitlines()
    assert ["redis", "primary"] in [line.split() for line in lines]
    assert registry.get("/v1/agent/service/cli").json["Meta"] == {"a": "b"}
    assert NODE in command(registry, "catalog", "nodes", "-service=redis")
    assert command(registry, "catalog", "datacenters") == "dc1\n"
    assert json.loads(command(registry, "watch", "-type=service", "-service=redis"))[0]["Service"]["Port"] == 6379
    assert command(registry, "services", "deregister", "-id=cli") == "Deregistered service: cli\n"
    assert registry.ids("cli") == []


@pytest.mark.consul
def test_consuls_command_and_the_agent(registry: Serving) -> None:
    assert "alive" in command(registry, "members")
    assert "version = 1.8.7" in command(registry, "info")
    assert command(registry, "maint", "-enable", "-reason=x") == "Node maintenance is now enabled\n"
    assert "Reason: x" in command(registry, "maint")
    assert command(registry, "maint", "-disable") == "Node maintenance is now disabled\n"
    assert command(registry, "reload") == "Configuration reload triggered\n"


@pytest.mark.consul
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("leave",), "This registry ends with the Sampan that started it"),
        (("join", "10.9.9.9"), "past that, run Consul"),
        (("monitor",), "see the output of sampan up"),
        (("acl", "token", "list"), "ACL support disabled"),
        (("config", "list", "-kind=service-defaults"), "Sampan routes by its documents"),
        (("operator", "raft", "list-peers"), "this registry is for one machine"),
    ],
)
def test_what_is_refused_is_understood(registry: Serving, arguments: tuple[str, ...], sentence: str) -> None:
    assert sentence in command(registry, *arguments)
