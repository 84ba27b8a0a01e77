"""What the tests of real processes share: an upstream, a client, load, bootstraps, and a supervisor to watch."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sampan.proxy import binary, client, paths

CONTROL_PLANE = Path(__file__).with_name("control_plane.py")
HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
TCP_PROXY = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"


async def eventually(condition: Callable[[], Awaitable[Any]] | Callable[[], Any], seconds: float = 10.0) -> Any:
    """Polls until the condition gives something true, and returns that. An OSError means not yet."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError, client.SupervisorError):
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return found
        assert time.monotonic() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.01)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def http_listener(port: int, cluster: str = "upstream", header: str = "") -> dict[str, Any]:
    """`header` comes back in every answer as x-version."""
    route = {"match": {"prefix": "/"}, "route": {"cluster": cluster, "timeout": "60s"}}
    host: dict[str, Any] = {"name": "all", "domains": ["*"], "routes": [route]}
    if header:
        host["response_headers_to_add"] = [{"header": {"key": "x-version", "value": header}}]
    manager = {
        "@type": HCM,
        "stat_prefix": f"gateway_{port}",
        "route_config": {"name": "routes", "virtual_hosts": [host]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}}],
    }
    return listener(port, {"name": "http", "typed_config": manager})


def tcp_listener(port: int, cluster: str = "upstream") -> dict[str, Any]:
    proxy = {"@type": TCP_PROXY, "stat_prefix": f"tcp_{port}", "cluster": cluster}
    return listener(port, {"name": "tcp", "typed_config": proxy})


def listener(port: int, network_filter: dict[str, Any]) -> dict[str, Any]:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    return {"name": f"at_{port}", "address": address, "filter_chains": [{"filters": [network_filter]}]}


def bootstrap(listeners: Sequence[dict[str, Any]], upstream_port: int) -> dict[str, Any]:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": upstream_port}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    cluster = {
        "name": "upstream",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "upstream", "endpoints": endpoints},
    }
    return {"static_resources": {"listeners": list(listeners), "clusters": [cluster]}}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Connection:
    """An HTTP/1.1 client connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def open(cls, port: int) -> Connection:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def get(self, path: str = "/") -> Answer:
        self.writer.write(f"GET {path} HTTP/1.1\r\nhost: test\r\n\r\n".encode())
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        status, *lines = head.strip().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        body = await self.reader.readexactly(int(headers["content-length"]))
        return Answer(int(status.split()[1]), headers, body)

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


async def get(port: int, path: str = "/") -> Answer:
    connection = await Connection.open(port)
    try:
        async with asyncio.timeout(15):
            return await connection.get(path)
    finally:
        await connection.close()


class Upstream:
    """Answers every request with `ok`; one for /held only when `release` is set. Echoes what is not HTTP."""

    def __init__(self) -> None:
        self.port = 0
        self.held = asyncio.Event()
        self.release = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                if not line.startswith(b"GET "):
                    writer.write(line)
                    continue
                while (await reader.readline()).strip():
                    pass
                if line.startswith(b"GET /held"):
                    self.held.set()
                    await self.release.wait()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        except OSError:
            pass
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def upstream() -> AsyncIterator[Upstream]:
    here = Upstream()
    server = await asyncio.start_server(here.serve, "127.0.0.1", 0, backlog=1024)
    here.port = server.sockets[0].getsockname()[1]
    try:
        yield here
    finally:
        here.release.set()
        server.close()


@dataclass
class Load:
    """Requests without pause over `workers` connections; every second worker opens a new one for each request."""

    port: int
    workers: int = 8
    sent: int = 0
    failures: list[str] = field(default_factory=list)
    versions: set[str] = field(default_factory=set)
    slowest: float = 0.0
    _ending: bool = False

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.ensure_future(self._worker(number % 2 == 0)) for number in range(self.workers)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending = True
        await asyncio.gather(*self._tasks)

    async def more(self, count: int = 300) -> None:
        """Until `count` more requests were answered."""
        goal = self.sent + count
        await eventually(lambda: self.sent >= goal)

    async def _worker(self, keep: bool) -> None:
        connection: Connection | None = None
        while not self._ending:
            begin = time.monotonic()
            try:
                async with asyncio.timeout(10):
                    connection = connection or await Connection.open(self.port)
                    answer = await connection.get()
                if answer.status != 200:
                    self.failures.append(f"status {answer.status}")
                self.versions.add(answer.headers.get("x-version", ""))
                over = not keep or answer.headers.get("connection") == "close"
            except (OSError, asyncio.IncompleteReadError) as problem:
                self.failures.append(repr(problem))
                over = True
            self.sent += 1
            self.slowest = max(self.slowest, time.monotonic() - begin)
            if over and connection is not None:
                await connection.close()
                connection = None
        if connection is not None:
            await connection.close()


class Supervised:
    """A supervisor with the control plane of the tests, in a runtime directory of its own."""

    def __init__(self, folder: Path, *options: str, control: Sequence[str | Path] = ()) -> None:
        self.runtime = folder / "run"
        self.desired = folder / "desired.json"
        self.log = folder / "log"
        self.folder = folder
        self.stderr: int | None = None
        self._options = options
        self._control = control or (sys.executable, CONTROL_PLANE, self.desired)
        self.process: asyncio.subprocess.Process
        self.desired.write_text("{}")

    def want(self, **proxies: dict[str, Any]) -> None:
        """The desired set: a bootstrap for each name. Its version is that of its content."""
        desired = {}
        for name, content in proxies.items():
            text = json.dumps(content)
            version = f"v{abs(hash(text))}"
            path = self.folder / f"{name}.{version}.json"
            path.write_text(text)
            desired[name] = (str(path), version)
        fresh = self.desired.with_suffix(".new")
        fresh.write_text(json.dumps(desired))
        os.replace(fresh, self.desired)

    async def __aenter__(self) -> Self:
        with self.log.open("wb") as log:  # unless `stderr` is set
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "sampan.proxy.supervisor"),
                *("--runtime", self.runtime, "--envoy", binary.find()),
                *self._options,
                "--",
                *self._control,
                stderr=log if self.stderr is None else self.stderr,
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        if error is not None:
            print(self.text())

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    async def proxies(self) -> tuple[client.RunningProxy, ...]:
        async with client.Supervisor(paths.supervisor_socket(self.runtime)) as supervisor:
            return await supervisor.list()

    async def facts(self) -> dict[str, Any]:
        async with client.Supervisor(paths.supervisor_socket(self.runtime)) as supervisor:
            return await supervisor.hello()

    async def serving(self, name: str, besides: int = 0) -> client.RunningProxy:
        """The run that is ready, once there is one with another pid than `besides`."""

        async def look() -> client.RunningProxy | None:
            ready = [run for run in await self.proxies() if run.proxy == name and run.state == "ready"]
            return ready[0] if ready and ready[0].pid != besides else None

        found: client.RunningProxy = await eventually(look, 20)
        return found

    async def control_pid(self, besides: int = 0) -> int:
        """The pid of a control plane that was started and is not `besides`."""
        pid: int = await eventually(
            lambda: next((pid for pid in self.children() if self.is_control(pid) and pid != besides), 0)
        )
        return pid

    def is_control(self, pid: int) -> bool:
        return CONTROL_PLANE.name.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()

    def children(self) -> list[int]:
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    async def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 20.0) -> int:
        self.process.send_signal(number)
        async with asyncio.timeout(seconds):
            return await self.process.wait()
