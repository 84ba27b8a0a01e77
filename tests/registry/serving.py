"""A registry's process, and a plain client to it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

NODE = "laptop"
DEADLINE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def index(self) -> int:
        return int(self.headers["X-Consul-Index"])


@dataclass(slots=True)
class Serving:
    """`address` is HOST:PORT. One connection, made anew after a failure."""

    process: subprocess.Popen[str]
    address: str
    headers: Mapping[str, str] = field(default_factory=dict)
    _connection: HTTPConnection | None = None

    def call(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """`body`: bytes as they are, anything else as JSON. Raises OSError or HTTPException."""
        if self._connection is None:
            self._connection = HTTPConnection(self.address, timeout=DEADLINE_SECONDS)
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            self._connection.request(method, path, sent, {**self.headers, **(headers or {})})
            response = self._connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        except Exception:
            self._connection.close()
            self._connection = None
            raise

    def get(self, path: str, **headers: str) -> Answer:
        return self.call("GET", path, None, headers)

    def put(self, path: str, body: Any = None) -> Answer:
        return self.call("PUT", path, body)

    def register(self, name: str, **more: Any) -> Answer:
        return self.put("/v1/agent/service/register", {"Name": name, **more})

    def ids(self, name: str) -> list[str]:
        return [entry["Service"]["ID"] for entry in self.get(f"/v1/health/service/{quote(name)}").json]

    def waiting(self) -> int:
        gauges = self.get("/v1/agent/metrics").json["Gauges"]
        return next(int(gauge["Value"]) for gauge in gauges if gauge["Name"] == "consul.rpc.queries_blocking")

    def until_waiting(self, number: int) -> None:
        """No less than that; 0: nobody."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while (waiting := self.waiting()) < number or (waiting and not number):
            assert time.monotonic() < deadline, f"{waiting} wait, and not {number}"
            time.sleep(0.01)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


def command(folder: Path, *arguments: str) -> list[str]:
    fixed = ["--state", str(folder), "--node", NODE, "--dns", "off"]
    return [sys.executable, "-m", "sampan.registry", *fixed, *(arguments or ("--http", "127.0.0.1:0"))]


@contextmanager
def serving(folder: Path, *arguments: str, **headers: str) -> Iterator[Serving]:
    """Over the state in a folder; the process is killed after the block."""
    process = subprocess.Popen(command(folder, *arguments), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        line = process.stdout.readline()
        try:
            assert line, "the registry did not start"
            with closing(Serving(process, json.loads(line)["http"], headers)) as served:
                yield served
        finally:
            process.kill()
            process.wait()


def refused(folder: Path, *arguments: str) -> str:
    """What a registry says that does not start."""
    done = subprocess.run(command(folder, *arguments), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr
