"""A Sampan that runs as users run it (`sampan up`), and what can be asked of it and of its Envoy from outside."""

from __future__ import annotations

import http.client
import json
import os
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.acks import Acks
from bench.processes import (
    ProcessFailedError,
    Stage,
    Started,
    cpu_seconds,
    descendants,
    name_of,
    resident_mib,
    tree,
)

_ROOT = Path(__file__).resolve().parent.parent
_COMMAND = (sys.executable, "-c", "from sampan.cli.main import main; main()")
# The registry runs, as shipped, at ports that nobody else has.
_REGISTRY = {"SAMPAN_REGISTRY": "127.0.0.1:0", "SAMPAN_REGISTRY_DNS": "127.0.0.1:0"}


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, timeout: float = 30.0) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path.resolve()))


@dataclass(slots=True)
class Sampan:
    """`folder` holds the documents, `state` is its state folder (a short path: sockets go into it)."""

    stage: Stage
    documents: Path
    state: Path
    process: Started
    began: float
    _admin: UnixConnection | None = field(default=None)

    @classmethod
    def start(
        cls,
        stage: Stage,
        documents: Path,
        state: Path,
        *,
        cores: Sequence[int] | None = None,
        arguments: Sequence[str] = (),
    ) -> Sampan:
        began = time.monotonic()
        command = (*_COMMAND, "up", "-f", str(documents), "--state", str(state), *arguments)
        process = stage.start("sampan", command, cores=cores, environment=_REGISTRY)
        return cls(stage, documents, state, process, began)

    @classmethod
    def observed(cls, stage: Stage, documents: Path, state: Path, acks: Acks) -> Sampan:
        """As `sampan up`, but the control plane tells `acks` what it publishes and what Envoy has confirmed."""
        from sampan.cli import state as states
        from sampan.cli.discovery import discovery
        from sampan.cli.launch import Launch
        from sampan.proxy import binary

        states.prepare(state)
        began = time.monotonic()
        registry = discovery(*_REGISTRY.values())
        command = Launch(state, [documents], binary.find(), registry).command_line()
        place = command.index("sampan.daemon")
        command[place : place + 1] = ["bench.observed", str(acks.path)]
        path = os.pathsep.join(filter(None, (str(_ROOT), str(_ROOT / "src"), os.environ.get("PYTHONPATH", ""))))
        process = stage.start("sampan", command, environment={"PYTHONPATH": path})
        return cls(stage, documents, state, process, began)

    def stop(self) -> None:
        if self._admin is not None:
            self._admin.close()
        self.stage.stop(self.process)

    # ---- its processes

    def pids(self) -> list[int]:
        """Control plane, supervisor and Envoys: its own tree, and what else bears its state folder's name."""
        own = tree(self.process.pid)
        apart = [pid for pid in descendants(os.getpid()) if pid not in own and str(self.state) in name_of(pid)]
        return own + apart

    def envoys(self) -> list[int]:
        return [pid for pid in self.pids() if executable(pid) == "envoy"]

    def control_plane(self) -> int:
        """`sampan up` itself becomes the supervisor; of what that started, this is the largest Python."""
        others = [pid for pid in self.pids() if executable(pid) != "envoy" and pid != self.process.pid]
        return max(others, key=resident_mib)

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.pids())

    # ---- what it answers

    def answers(self, port: int, path: str = "/", host: str = "localhost") -> bool:
        return answer(port, path, host)[0] == 200

    def wait_for(self, port: int, path: str = "/", host: str = "localhost", seconds: float = 60.0) -> float:
        """Until the route answers 200. Seconds since `sampan up` was called."""
        deadline = time.monotonic() + seconds
        while True:
            if self.answers(port, path, host):
                return time.monotonic() - self.began
            self.process.check()
            if time.monotonic() > deadline:
                status = answer(port, path, host)[0] or "nothing"
                raise ProcessFailedError(
                    f"sampan up: {host}{path} answers {status} after {seconds:g} s\n{self.process.tail(4000)}"
                )
            time.sleep(0.002)

    def admin(self, path: str, proxy: str = "default/bench") -> str:
        """Envoy's own admin interface, over a connection that is kept."""
        if self._admin is None:
            self._admin = UnixConnection(self.state / "proxies" / proxy.replace("/", "~") / "admin.sock")
        self._admin.request("GET", path)
        return self._admin.getresponse().read().decode()

    def counters(self, pattern: str) -> dict[str, int]:
        """Envoy's counters and gauges whose names match."""
        found = json.loads(self.admin(f"/stats?format=json&filter={pattern}"))["stats"]
        return {one["name"]: int(one["value"]) for one in found if "name" in one}

    def ask(self, path: str) -> Any:
        """The control plane's API."""
        connection = UnixConnection(self.state / "api.sock")
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
            if response.status != 200:
                raise ProcessFailedError(f"{path}: {response.status} {body[:300]!r}")
            return json.loads(body)
        finally:
            connection.close()


def executable(pid: int) -> str:
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return ""


def answer(port: int, path: str = "/", host: str = "localhost", timeout: float = 5.0) -> tuple[int, dict[str, str]]:
    """Status and headers; status 0 if nobody answers. One short connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"host": host})
        response = connection.getresponse()
        response.read()
        return response.status, {name.lower(): value for name, value in response.getheaders()}
    except (OSError, http.client.HTTPException):
        return 0, {}
    finally:
        connection.close()
