"""HTTP/2 without TLS (prior knowledge, RFC 9113): a few connections, many streams on each.

As little of the protocol as a client with one kind of request needs. The table for header compression is set to size 0:
so every header block stands for itself, and a status is known by its first byte (RFC 7541, appendix A).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle

from bench.load.tally import Tally

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0x0, 0x1, 0x3, 0x4, 0x6, 0x7
END_STREAM, ACK, END_HEADERS = 0x1, 0x1, 0x4
PADDED, PRIORITY = 0x8, 0x20
LARGEST_WINDOW = 2**31 - 1
MAX_CONCURRENT_STREAMS = 3  # the setting's number (RFC 9113, 6.5.2)
# What the RFC recommends as the least that a server allows; held to until the server's own figure is here.
STREAMS_BEFORE_SETTINGS = 100
# SETTINGS_HEADER_TABLE_SIZE 0, SETTINGS_ENABLE_PUSH 0, SETTINGS_INITIAL_WINDOW_SIZE as large as it gets
_SETTINGS = b"".join(
    name.to_bytes(2, "big") + value.to_bytes(4, "big") for name, value in ((1, 0), (2, 0), (4, LARGEST_WINDOW))
)
_SUCCESS = frozenset((0x88, 0x89, 0x8A))  # :status 200, 204, 206
_FAILURE = {0x8B: 304, 0x8C: 400, 0x8D: 404, 0x8E: 500}


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


OPENING = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    + frame(SETTINGS, 0, 0, _SETTINGS)
    + frame(0x8, 0, 0, (LARGEST_WINDOW - 65_535).to_bytes(4, "big"))  # WINDOW_UPDATE of the connection
)


def request_block(host: str, path: str) -> bytes:
    """Method GET and scheme http by index, path and authority as literals without indexing (RFC 7541, 6.2.2)."""
    return b"\x82\x86" + b"\x04" + _literal(path) + b"\x01" + _literal(host)


def _literal(text: str) -> bytes:
    raw = text.encode()
    if len(raw) > 126:
        raise ValueError("a literal of one length byte has at most 126 bytes")
    return bytes((len(raw),)) + raw


class Connection(asyncio.Protocol):
    """`streams` maps an open stream to the moment its request was due, and whether its status was good."""

    def __init__(self, generator: Http2) -> None:
        self.generator = generator
        self.transport: asyncio.Transport | None = None
        self.buffer = b""
        self.streams: dict[int, tuple[float, bool]] = {}
        self.next_stream = 1
        self.usable = True
        self.unsent: list[tuple[float, bytes]] = []
        self.most_streams = STREAMS_BEFORE_SETTINGS

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(OPENING)
        for due, block in self.unsent:
            self.send(due, block)
        self.unsent.clear()

    def full(self) -> bool:
        """Whether one more stream would be more than the server allows: it may close all (RFC 9113, 5.1.2)."""
        return len(self.streams) + len(self.unsent) >= self.most_streams

    def send(self, due: float, block: bytes) -> None:
        if self.transport is None:
            self.unsent.append((due, block))
            return
        stream, self.next_stream = self.next_stream, self.next_stream + 2
        self.streams[stream] = (due, False)
        self.transport.write(frame(HEADERS, END_STREAM | END_HEADERS, stream, block))
        if stream >= 2 * self.generator.requests_per_connection:
            self.usable = False

    def data_received(self, data: bytes) -> None:
        buffer = self.buffer + data if self.buffer else data
        place, end = 0, len(buffer)
        while end - place >= 9:
            length = int.from_bytes(buffer[place : place + 3], "big")
            if end - place < 9 + length:
                break
            kind, flags = buffer[place + 3], buffer[place + 4]
            stream = int.from_bytes(buffer[place + 5 : place + 9], "big") & LARGEST_WINDOW
            self._frame(kind, flags, stream, buffer[place + 9 : place + 9 + length])
            place += 9 + length
        self.buffer = buffer[place:]
        if not self.usable and not self.streams:
            self.close()

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        assert self.transport is not None
        if kind == HEADERS:
            self._headers(flags, stream, payload)
        elif kind == DATA:
            if flags & END_STREAM:
                self._finish(stream)
        elif kind == RST_STREAM:
            self._lose(stream, f"RST_STREAM with error {int.from_bytes(payload, 'big')}")
        elif kind == SETTINGS and not flags & ACK:
            self._settings(payload)
            self.transport.write(frame(SETTINGS, ACK, 0, b""))
        elif kind == PING and not flags & ACK:
            self.transport.write(frame(PING, ACK, 0, payload))
        elif kind == GOAWAY:
            self.usable = False
            last = int.from_bytes(payload[:4], "big") & LARGEST_WINDOW
            for refused in [number for number in self.streams if number > last]:
                self._lose(refused, f"GOAWAY with error {int.from_bytes(payload[4:8], 'big')} before this stream")

    def _settings(self, payload: bytes) -> None:
        for place in range(0, len(payload), 6):
            if int.from_bytes(payload[place : place + 2], "big") == MAX_CONCURRENT_STREAMS:
                self.most_streams = int.from_bytes(payload[place + 2 : place + 6], "big")

    def _headers(self, flags: int, stream: int, payload: bytes) -> None:
        found = self.streams.get(stream)
        if found is None:
            return
        start = (1 if flags & PADDED else 0) + (5 if flags & PRIORITY else 0)
        while payload[start] & 0xE0 == 0x20:  # a change of the table's size (RFC 7541, 4.2)
            start += 1
        first = payload[start]
        if first in _SUCCESS:
            self.streams[stream] = (found[0], True)
        elif not found[1]:  # trailers come after a good status
            del self.streams[stream]
            status = _FAILURE.get(first, "another")
            self.generator.tally.fail("status", f"{status}", self.generator.loop.time())
            return
        if flags & END_STREAM:
            self._finish(stream)

    def _finish(self, stream: int) -> None:
        found = self.streams.pop(stream, None)
        if found is not None:
            self.generator.tally.succeed(self.generator.loop.time() - found[0])

    def _lose(self, stream: int, what: str) -> None:
        if self.streams.pop(stream, None) is not None:
            self.generator.tally.fail("stream", what, self.generator.loop.time())

    def connection_lost(self, error: Exception | None) -> None:
        self.usable = False
        self.generator.open.discard(self)
        now = self.generator.loop.time()
        for _ in self.streams:
            self.generator.tally.fail("reset", f"connection lost: {error or 'closed'}", now)
        self.streams.clear()

    def close(self) -> None:
        self.usable = False
        if self.transport is not None:
            self.transport.close()


@dataclass(slots=True)
class Http2:
    """`targets` are (host, path), asked in turn; so are the connections."""

    loop: asyncio.AbstractEventLoop
    port: int
    targets: Sequence[tuple[str, str]]
    tally: Tally
    timeout: float = 5.0
    width: int = 4
    requests_per_connection: int = 5000
    open: set[Connection] = field(default_factory=set)
    _ring: list[Connection] = field(default_factory=list)
    _turn: int = 0
    _blocks: cycle[bytes] = field(init=False)
    _connecting: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._blocks = cycle([request_block(host, path) for host, path in self.targets])

    def send(self, due: float) -> None:
        self.tally.send(self.loop.time() - due)
        self._turn = (self._turn + 1) % self.width
        while len(self._ring) <= self._turn:
            self._ring.append(self._connect())
        if self._ring[self._turn].full():  # after a stall of the machine: it ends with the streams that it has
            self._ring[self._turn].usable = False
        if not self._ring[self._turn].usable:
            self._ring[self._turn] = self._connect()
        self._ring[self._turn].send(due, next(self._blocks))

    def _connect(self) -> Connection:
        connection = Connection(self)
        self.open.add(connection)
        self.tally.connections += 1
        task = self.loop.create_task(self._connected(connection))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        return connection

    async def _connected(self, connection: Connection) -> None:
        try:
            await self.loop.create_connection(lambda: connection, "127.0.0.1", self.port)
        except OSError as error:
            connection.usable = False
            self.open.discard(connection)
            for _ in connection.unsent:
                self.tally.fail("connect", str(error), self.loop.time())

    async def tend(self) -> None:
        """Gives up what has waited too long, ten times a second."""
        while True:
            await asyncio.sleep(0.1)
            now = self.loop.time()
            for connection in list(self.open):
                for stream, (due, _) in list(connection.streams.items()):
                    if now - due > self.timeout:
                        del connection.streams[stream]
                        self.tally.fail("timeout", f"after {self.timeout:g} s", now)

    def unanswered(self) -> int:
        return sum(len(connection.streams) + len(connection.unsent) for connection in self.open)

    def close(self) -> None:
        for connection in list(self.open):
            connection.close()
