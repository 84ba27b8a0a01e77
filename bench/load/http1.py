"""HTTP/1.1 over many kept connections, one request at a time on each; more are opened as more are waiting."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle

from bench.load.tally import Tally


@dataclass(slots=True)
class Waiting:
    due: float
    request: bytes


class Connection(asyncio.Protocol):
    """One connection. Idle when `waiting` is None."""

    def __init__(self, generator: Http1, first: Waiting) -> None:
        self.generator = generator
        self.waiting: Waiting | None = first
        self.transport: asyncio.Transport | None = None
        self.buffer = b""
        self.served = 0
        self.usable = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if self.waiting:
            transport.write(self.waiting.request)
        else:  # it took longer to connect than the request may take
            transport.close()

    def send(self, waiting: Waiting) -> None:
        assert self.transport is not None
        self.waiting = waiting
        self.transport.write(waiting.request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, end, body = self.buffer.partition(b"\r\n\r\n")
        if not end:
            return
        lower = head.lower()
        _, marker, rest = lower.partition(b"content-length:")
        if not marker:
            self._finish(0, "an answer without a length")
        elif len(body) >= int(rest.partition(b"\r\n")[0]):
            self.usable = b"connection: close" not in lower and b"http/1.0" not in lower
            self._finish(int(head[9:12]), "")

    def _finish(self, status: int, mistake: str) -> None:
        waiting, self.waiting, self.buffer = self.waiting, None, b""
        generator = self.generator
        now = generator.loop.time()
        if waiting is None:
            generator.tally.fail("protocol", "an answer nobody asked for", now)
        elif mistake:
            generator.tally.fail("protocol", mistake, now)
        elif 200 <= status < 300:
            generator.tally.succeed(now - waiting.due)
        else:
            generator.tally.fail("status", f"{status} {waiting.request.split()[1].decode()}", now)
        self.served += 1
        if mistake or waiting is None or not self.usable or self.served >= generator.requests_per_connection:
            self.close()
        else:
            generator.idle.append(self)

    def connection_lost(self, error: Exception | None) -> None:
        waiting, self.waiting = self.waiting, None
        self.usable = False
        self.generator.open.discard(self)
        if waiting is not None:
            what = f"after {self.served} answers: {error or 'closed'}"
            self.generator.tally.fail("reset", what, self.generator.loop.time())

    def close(self) -> None:
        self.usable = False
        if self.transport is not None:
            self.transport.close()


@dataclass(slots=True)
class Http1:
    """`targets` are (host, path), asked in turn."""

    loop: asyncio.AbstractEventLoop
    port: int
    targets: Sequence[tuple[str, str]]
    tally: Tally
    timeout: float = 5.0
    requests_per_connection: int = 1000
    tls: ssl.SSLContext | None = None
    server_name: str = ""
    idle: deque[Connection] = field(default_factory=deque)
    open: set[Connection] = field(default_factory=set)
    _requests: cycle[bytes] = field(init=False)
    _connecting: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._requests = cycle([f"GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n".encode() for host, path in self.targets])

    def send(self, due: float) -> None:
        waiting = Waiting(due, next(self._requests))
        self.tally.send(self.loop.time() - due)
        while self.idle:
            connection = self.idle.pop()
            if connection.usable:
                connection.send(waiting)
                return
        self._connect(waiting)

    def _connect(self, waiting: Waiting) -> None:
        connection = Connection(self, waiting)
        self.open.add(connection)
        self.tally.connections += 1
        task = self.loop.create_task(self._connected(connection))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connected(self, connection: Connection) -> None:
        try:
            await self.loop.create_connection(
                lambda: connection,
                "127.0.0.1",
                self.port,
                ssl=self.tls,
                server_hostname=self.server_name if self.tls else None,
                ssl_handshake_timeout=self.timeout if self.tls else None,
            )
        except OSError as error:  # ssl.SSLError is one
            self.open.discard(connection)
            if connection.waiting is not None:
                connection.waiting = None
                self.tally.fail("connect", str(error), self.loop.time())

    async def tend(self) -> None:
        """Gives up what has waited too long, ten times a second."""
        while True:
            await asyncio.sleep(0.1)
            now = self.loop.time()
            for connection in list(self.open):
                if connection.waiting is not None and now - connection.waiting.due > self.timeout:
                    connection.waiting = None
                    self.tally.fail("timeout", f"after {self.timeout:g} s", now)
                    connection.close()

    def unanswered(self) -> int:
        return sum(connection.waiting is not None for connection in self.open)

    def close(self) -> None:
        for connection in list(self.open):
            connection.close()
