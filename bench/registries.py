"""The two registries that are measured side by side: the embedded one, and a real Consul with its limits raised."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.processes import Stage, Started, cpu_seconds, free_ports, resident_mib, tree, wait_until
from bench.settings import UnableError

_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Registry:
    name: str
    port: int
    process: Started

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cpu_seconds(self) -> float:
        return cpu_seconds(tree(self.process.pid))

    def resident_mib(self) -> float:
        return sum(map(resident_mib, tree(self.process.pid)))

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One call over a connection of its own; the answer as JSON, if it is any."""
        return call(self.port, method, path, body)


def call(port: int, method: str, path: str, body: Any = None) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        response = connection.getresponse()
        text = response.read()
        if response.status != 200:
            raise RuntimeError(f"{method} {path}: {response.status} {text[:300]!r}")
        return json.loads(text) if text.strip() else None
    finally:
        connection.close()


def embedded(stage: Stage) -> Registry:
    (port,) = free_ports(1)
    path = os.pathsep.join(filter(None, (str(_ROOT / "src"), os.environ.get("PYTHONPATH", ""))))
    state = stage.folder / f"registry-{port}"
    command = (sys.executable, "-m", "sampan.registry", "--state", state, "--http", f"127.0.0.1:{port}", "--dns", "off")
    process = stage.start("registry", command, environment={"PYTHONPATH": path})
    return _ready(Registry("Sampan's registry", port, process))


def consul(stage: Stage) -> Registry:
    """Raises UnableError where there is none."""
    binary = binary_of_consul()
    port, serf, server = free_ports(3)
    ports = {"http": port, "dns": -1, "grpc": -1, "serf_lan": serf, "serf_wan": -1, "server": server}
    settings = {"ports": ports, "limits": {"http_max_conns_per_client": 8192}, "disable_update_check": True}
    command = (binary, "agent", "-dev", "-bind=127.0.0.1", "-client=127.0.0.1", "-log-level=warn", "-node=laptop")
    process = stage.start("consul", (*command, "-hcl", json.dumps(settings)))
    return _ready(Registry("Consul", port, process))


def binary_of_consul() -> str:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sampan" / "consul" / "usr/bin/consul"
    found = os.environ.get("SAMPAN_CONSUL") or shutil.which("consul") or (str(cache) if cache.exists() else "")
    if not found:
        raise UnableError("there is no Consul to compare with", "run .ci/consul, or name one with SAMPAN_CONSUL")
    return found


def _ready(registry: Registry) -> Registry:
    def leads() -> bool:
        registry.process.check()
        try:
            node = registry.call("GET", "/v1/catalog/nodes")
            return bool(node) and bool(registry.call("GET", "/v1/status/leader"))
        except (OSError, RuntimeError, http.client.HTTPException):
            return False

    wait_until(leads, 30.0, f"{registry.name} leads", registry.process)
    return registry


def registration(name: str, number: int, port: int, **more: Any) -> dict[str, Any]:
    """As a client would write one: a name, a place, a version, a check by TTL."""
    return {
        "Name": name,
        "ID": f"{name}-{number}",
        "Address": "127.0.0.1",
        "Port": port,
        "Tags": ["bench"],
        "Meta": {"version": "v1"},
        "Check": {"TTL": "600s", "Status": "passing"},
        **more,
    }


def both(stage: Stage) -> Sequence[Registry]:
    return (embedded(stage), consul(stage))
