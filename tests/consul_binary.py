"""A real Consul: where its binary is, and an agent of it (server, no ACLs, state in memory) while a block lasts.

Tests that need one have the marker `consul`, and take `consul_agent` in by importing it, or call `running` for one with
settings of its own. `.ci/consul` fetches the binary.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from .dying import dying

NODE = "laptop"
DATACENTER = "dc1"
DEADLINE_SECONDS = 30.0
ATTEMPTS = 3  # a port that was free may be taken by the time Consul binds it


@dataclass(frozen=True, slots=True)
class Agent:
    """Addresses as `host:port`."""

    http: str
    dns: str
    pid: int

    @property
    def url(self) -> str:
        return f"http://{self.http}"


def find() -> Path | None:
    """SAMPAN_CONSUL, else `consul` on PATH, else what `.ci/consul` has fetched before."""
    if named := os.environ.get("SAMPAN_CONSUL"):
        return Path(named)
    if on_path := shutil.which("consul"):
        return Path(on_path)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    fetched = cache / "sampan" / "consul" / "usr" / "bin" / "consul"
    return fetched if fetched.exists() else None


def absent() -> str:
    """Why there is no Consul, or ""."""
    found = find()
    if found is None:
        return "there is no consul on PATH; .ci/consul fetches one"
    return "" if os.access(found, os.X_OK) else f"{found} cannot be run"


@contextmanager
def running(connections: int = 200, ports: Mapping[str, int] | None = None, **settings: Any) -> Iterator[Agent]:
    """`connections` is Consul's limit for each client's address (`limits.http_max_conns_per_client`; 200 is its
    default); `settings` are more of the agent's configuration. `ports` fixes some (http, dns), for an agent that comes
    back.
    """
    binary = find()
    assert binary is not None, absent()
    with tempfile.TemporaryDirectory(prefix="consul-", ignore_cleanup_errors=True) as name:
        log = Path(name) / "log"
        for _ in range(ATTEMPTS):
            chosen = _free_ports() | dict(ports or {})
            with _process(_command(binary, chosen, connections, settings), log) as process:
                agent = Agent(f"127.0.0.1:{chosen['http']}", f"127.0.0.1:{chosen['dns']}", process.pid)
                if _ready(agent, process):
                    yield agent
                    return
        pytest.fail(f"Consul did not start: {log.read_text(errors='replace')[-2000:]}", pytrace=False)


@pytest.fixture(scope="module")
def consul_agent() -> Iterator[Agent]:
    with running() as agent:
        yield agent


def _command(binary: Path, ports: Mapping[str, int], connections: int, settings: Mapping[str, Any]) -> list[str]:
    settings = {
        "ports": {**ports, "serf_wan": -1, "grpc": -1},
        "limits": {"http_max_conns_per_client": connections},
        "disable_update_check": True,
        **settings,
    }
    return [
        *(str(binary), "agent", "-dev", f"-node={NODE}", f"-datacenter={DATACENTER}"),
        *("-bind=127.0.0.1", "-client=127.0.0.1", "-log-level=warn", "-hcl", json.dumps(settings)),
    ]


def _free_ports() -> dict[str, int]:
    """Held together so that they differ, for UDP too: DNS and serf use both."""
    with ExitStack() as stack:
        found = {}
        for name in ("http", "dns", "serf_lan", "server"):
            stream = stack.enter_context(socket.socket())
            stream.bind(("127.0.0.1", 0))
            found[name] = stream.getsockname()[1]
        return found


@contextmanager
def _process(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as sink:
        process = subprocess.Popen(
            dying(command),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            cwd=log.parent,
            env={"PATH": os.environ.get("PATH", ""), "HOME": str(log.parent)},
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _ready(agent: Agent, process: subprocess.Popen[bytes]) -> bool:
    """Whether it has a leader, and the leader has all of its own node, which takes the agent a first synchronisation:
    before that, indexes rise by themselves."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    with httpx.Client(base_url=agent.url, trust_env=False) as client:
        while time.monotonic() < deadline and process.poll() is None:
            try:
                leader = client.get("/v1/status/leader")
                node = client.get(f"/v1/catalog/node/{NODE}")
            except httpx.TransportError:
                pass
            else:
                if leader.is_success and leader.json() and node.is_success and _whole(node.json()):
                    return True
            time.sleep(0.02)
    return False


def _whole(node: Any) -> bool:
    return bool(node and node["Node"]["TaggedAddresses"] and node["Services"])
