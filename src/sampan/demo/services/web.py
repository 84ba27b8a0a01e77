"""A small HTTP/1.1 server: keep-alive, HEAD, WebSocket upgrades, and an orderly end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sampan.demo import wire
from sampan.demo.services.registering import HEALTH
from sampan.demo.services.running import DRAIN_SECONDS, HOST, Identity
from sampan.demo.websocket import GOING_AWAY, ProtocolError, WebSocket, accept_key


@dataclass(frozen=True, slots=True)
class Request:
    """`path` is decoded, `headers` have names in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Awaitable[Response]]
SocketHandler = Callable[[Request, WebSocket], Awaitable[None]]


def as_json(value: Any, status: int = 200) -> Response:
    return Response(status, json.dumps(value, ensure_ascii=False).encode() + b"\n")


def problem(status: int, reason: str) -> Response:
    """An error, in the words of RFC 9457."""
    body = {"title": HTTPStatus(status).phrase, "status": status, "detail": reason}
    return Response(status, json.dumps(body).encode() + b"\n", "application/problem+json")


class WebServer:
    """Answers with `handler`, and says in every answer which instance it is. `sockets` maps a path to what serves
    WebSockets there. `drain` refuses new connections and lets requests in flight finish."""

    protocol = "http"

    def __init__(
        self, identity: Identity, handler: Handler, sockets: Mapping[str, SocketHandler] | None = None
    ) -> None:
        self._identity = identity
        self._handler = handler
        self._sockets = sockets or {}
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamReader] = {}
        self._idle: set[asyncio.StreamWriter] = set()
        self._open: set[WebSocket] = set()
        self._draining = False

    async def start(self, port: int) -> int:
        self._server = await asyncio.start_server(self._serve, HOST, port, limit=wire.MAX_HEAD)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def drain(self) -> None:
        """Ends within DRAIN_SECONDS; what then still runs, or what nobody waits for, is cut off."""
        self._draining = True
        if self._server is not None:
            self._server.close()
        for writer in tuple(self._idle):
            writer.close()
        for socket in tuple(self._open):
            with suppress(ConnectionError):
                await socket.close(GOING_AWAY)
        for task, reader in tuple(self._connections.items()):
            if reader.at_eof():  # who asked is gone (the gateway gave up): nobody waits for this answer
                task.cancel()
        if self._connections:
            await asyncio.wait(tuple(self._connections), timeout=DRAIN_SECONDS)
        remaining = tuple(self._connections)
        for task in remaining:
            task.cancel()
        await asyncio.gather(*remaining, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = reader
        try:
            while await self._exchange(reader, writer):
                pass
        except wire.MalformedMessageError as error:
            await self._answer(writer, problem(error.status, str(error)), "GET", keep=False)
        except (ConnectionError, ProtocolError):
            pass  # the peer went away, or speaks something else
        except asyncio.CancelledError:
            if not self._draining:
                raise
        finally:
            del self._connections[task]
            self._idle.discard(writer)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; whether the connection may carry another."""
        self._idle.add(writer)
        found = await wire.read_head(reader)
        self._idle.discard(writer)
        if found is None:
            return False
        start, headers = found
        request = _request(start, headers)
        if "websocket" in headers.get("upgrade", "").lower() and request.path in self._sockets:
            await self._upgrade(request, reader, writer)
            return False
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await wire.read_body(reader, headers)
        if request.path == HEALTH:
            response = as_json({"status": "up"})
        else:
            response = await self._handler(Request(request.method, request.path, request.query, headers, body))
        keep = not self._draining and headers.get("connection", "").lower() != "close" and not start.endswith("/1.0")
        await self._answer(writer, response, request.method, keep)
        return keep

    async def _answer(self, writer: asyncio.StreamWriter, response: Response, method: str, keep: bool) -> None:
        fields = {
            "content-type": response.content_type,
            "content-length": str(len(response.body)),
            "cache-control": "no-store",
            **self._identity.headers,
            **response.headers,
        }
        if not keep:
            fields["connection"] = "close"
        start = f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"
        writer.write(wire.head(start, fields) + (b"" if method == "HEAD" else response.body))
        await writer.drain()

    async def _upgrade(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        key = request.headers.get("sec-websocket-key")
        if not key or request.method != "GET":
            raise wire.MalformedMessageError(400, "a WebSocket needs GET and sec-websocket-key")
        if request.headers.get("sec-websocket-version") != "13":
            raise wire.MalformedMessageError(426, "the WebSocket version here is 13")
        fields = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-accept": accept_key(key)}
        writer.write(wire.head("HTTP/1.1 101 Switching Protocols", fields | self._identity.headers))
        socket = WebSocket(reader, writer, client=False)
        self._open.add(socket)
        try:
            await self._sockets[request.path](request, socket)
        finally:
            self._open.discard(socket)


def _request(start: str, headers: Mapping[str, str]) -> Request:
    method, _, rest = start.partition(" ")
    target, _, version = rest.partition(" ")
    if not method.isalpha() or not target.startswith("/") or not version.startswith("HTTP/1."):
        raise wire.MalformedMessageError(400, "not an HTTP/1.1 request line")
    split = urlsplit(target)
    return Request(method, unquote(split.path), dict(parse_qsl(split.query)), headers)
