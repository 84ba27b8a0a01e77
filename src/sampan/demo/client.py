"""A client for what goes through the gateway: HTTP/1.1 with kept connections, WebSocket, lines over TCP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sampan.demo import wire
from sampan.demo.websocket import WebSocket, accept_key, new_key


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: `headers` with names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def instance(self) -> str:
        """Which instance answered, by its own word; "" if none did."""
        return self.headers.get("x-instance", "")

    @property
    def version(self) -> str:
        return self.headers.get("x-version", "")

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Requests to one address. Connections are kept and used again; at most `kept` idle ones.

    A kept connection that the server has meanwhile closed is replaced once, for GET and HEAD only (RFC 9110 section
    9.2.2: they may be repeated). Everything else fails with OSError, `wire.MalformedMessageError` or, after `timeout`
    seconds, TimeoutError.
    """

    def __init__(self, host: str, port: int, authority: str = "", timeout: float = 5.0, kept: int = 8) -> None:
        self._host = host
        self._port = port
        self._authority = authority or f"{host}:{port}"
        self._timeout = timeout
        self._kept = kept
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return await self.request("GET", path, headers)

    async def request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """`path` is percent-encoded where needed."""
        fields = {"host": self._authority, "user-agent": "sampan-demo", "accept": "*/*", **(headers or {})}
        if body:
            fields["content-length"] = str(len(body))
        message = wire.head(f"{method} {quote(path, safe='/?&=%:,+~')} HTTP/1.1", fields) + body
        async with asyncio.timeout(self._timeout):
            while self._idle:
                reader, writer = self._idle.pop()
                try:
                    return await self._exchange(reader, writer, method, message)
                except ConnectionError:
                    if method not in ("GET", "HEAD"):
                        raise
            reader, writer = await asyncio.open_connection(self._host, self._port)
            return await self._exchange(reader, writer, method, message)

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, method: str, message: bytes
    ) -> Answer:
        keep = False
        try:
            writer.write(message)
            await writer.drain()
            found = await wire.read_head(reader)
            if found is None:
                raise ConnectionResetError("the connection was closed before an answer came")
            start, headers = found
            status = _status(start)
            bodiless = method == "HEAD" or status in (204, 304)
            body = b"" if bodiless else await wire.read_body(reader, headers, until_end=True)
            framed = bodiless or "content-length" in headers or "transfer-encoding" in headers
            keep = framed and headers.get("connection", "").lower() != "close" and len(self._idle) < self._kept
            if keep:
                self._idle.append((reader, writer))
            return Answer(status, headers, body)
        finally:
            if not keep:
                writer.close()

    async def close(self) -> None:
        while self._idle:
            _, writer = self._idle.pop()
            await _closed(writer)

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


@asynccontextmanager
async def websocket(host: str, port: int, path: str, authority: str = "") -> AsyncIterator[WebSocket]:
    """An open WebSocket (RFC 6455 section 4.1). Raises ConnectionError with the status when the server refuses."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        key = new_key()
        fields = {
            "host": authority or f"{host}:{port}",
            "connection": "Upgrade",
            "upgrade": "websocket",
            "sec-websocket-version": "13",
            "sec-websocket-key": key,
        }
        writer.write(wire.head(f"GET {path} HTTP/1.1", fields))
        await writer.drain()
        found = await wire.read_head(reader)
        if found is None:
            raise ConnectionResetError("the connection was closed before an answer came")
        start, headers = found
        if _status(start) != 101:
            raise ConnectionRefusedError(f"the WebSocket was answered with status {_status(start)}, not 101")
        if headers.get("sec-websocket-accept") != accept_key(key):
            raise ConnectionRefusedError("the WebSocket's accept key is not the one for our key")
        socket = WebSocket(reader, writer, client=True)
        yield socket
        await socket.close()
    finally:
        await _closed(writer)


@asynccontextmanager
async def lines(host: str, port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A TCP connection that is closed at the end."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        yield reader, writer
    finally:
        await _closed(writer)


def _status(start: str) -> int:
    version, _, rest = start.partition(" ")
    code = rest[:3]
    if not version.startswith("HTTP/1.") or not (code.isascii() and code.isdigit()):
        raise wire.MalformedMessageError(502, f"not an HTTP/1.1 status line: {start[:40]!r}")
    return int(code)


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):  # the peer was faster
        await writer.wait_closed()
