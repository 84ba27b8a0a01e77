"""The control protocol, server side: a Unix socket, JSON lines, one reply for one request, and events for subscribers.

    {"op": "hello"}      → {"protocol": 1, "pid", "since", "stopping", "control_ready", "companions": {NAME: PID},
                           "proxies": […]}
    {"op": "list"}       → {"proxies": [facts…]}
    {"op": "apply", "proxies": {NAME: {"bootstrap": PATH, "version": TEXT, "arguments": [TEXT…]}}}
                         → {"proxies": [facts…]}: the whole desired set; what follows is told by events
    {"op": "ready"}, {"op": "heartbeat"} → {"ok": true, "replayed": BOOL}
    {"op": "subscribe"}  → {"ok": true}, then events
    {"op": "down"}       → {"ok": true}, then everything drains and ends

Whatever is wrong with a request is answered by {"error": SENTENCE}; the connection stays usable.
`replayed`: the replay server had the xDS socket since the last beat (it has ended by now): listen on it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from sampan.proxy import paths
from sampan.proxy.events import Event, Events
from sampan.proxy.run import Wanted

LONGEST_REQUEST = 4 << 20
# A subscriber that does not read is cut off rather than remembered for.
LONGEST_BACKLOG = 1 << 20

Reply = dict[str, object]
Request = Mapping[str, Any]


class RequestError(Exception):
    """What is wrong with a request, as a sentence."""


class Desk(Protocol):
    """What requests may ask of the supervisor."""

    events: Events

    def facts(self) -> Reply: ...
    def proxies(self) -> list[Reply]: ...
    def apply(self, proxies: Mapping[str, Wanted]) -> None: ...
    async def control_ready(self) -> bool: ...
    async def control_beats(self) -> bool: ...
    def control_gone(self) -> None: ...
    def end(self) -> None: ...


class ControlServer:
    """One per supervisor. `_ready_connection`: the connection of the control plane that is in charge."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._ready_connection: Connection | None = None
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()

    async def start(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        before = os.umask(0o177)  # 0600 from its first moment
        try:
            self._server = await asyncio.start_unix_server(self._serve, path, limit=LONGEST_REQUEST)
        finally:
            os.umask(before)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._connections):
            connection.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(self._answer, self._desk.events, reader, writer)
        self._connections.add(connection)
        try:
            await connection.serve()
        finally:
            self._connections.discard(connection)
            if connection is self._ready_connection:
                self._ready_connection = None
                self._desk.control_gone()

    async def _answer(self, request: object, connection: Connection) -> Reply:
        if not isinstance(request, dict):
            raise RequestError('a request is an object: {"op": …}')
        handlers: dict[str, Callable[[Request, Connection], Awaitable[Reply]]] = {
            "hello": self._hello,
            "list": self._list,
            "apply": self._apply,
            "ready": self._ready,
            "heartbeat": self._heartbeat,
            "subscribe": self._subscribe,
            "down": self._down,
        }
        handler = handlers.get(str(request.get("op")))
        if handler is None:
            raise RequestError(f"there is no op {request.get('op')!r:.60}: it is one of {', '.join(handlers)}")
        return await handler(request, connection)

    async def _hello(self, _: Request, __: Connection) -> Reply:
        return {**self._desk.facts(), "proxies": self._desk.proxies()}

    async def _list(self, _: Request, __: Connection) -> Reply:
        return {"proxies": self._desk.proxies()}

    async def _apply(self, request: Request, _: Connection) -> Reply:
        self._desk.apply(parse_proxies(request.get("proxies")))
        return {"proxies": self._desk.proxies()}

    async def _ready(self, _: Request, connection: Connection) -> Reply:
        self._ready_connection = connection
        return {"ok": True, "replayed": await self._desk.control_ready()}

    async def _heartbeat(self, _: Request, connection: Connection) -> Reply:
        if connection is not self._ready_connection:
            raise RequestError("say ready on this connection before heartbeat")
        return {"ok": True, "replayed": await self._desk.control_beats()}

    async def _subscribe(self, _: Request, connection: Connection) -> Reply:
        connection.subscribe()
        return {"ok": True}

    async def _down(self, _: Request, __: Connection) -> Reply:
        self._desk.end()
        return {"ok": True}


class Connection:
    """One client. Requests are answered in their order."""

    def __init__(
        self,
        answer: Callable[[object, Connection], Awaitable[Reply]],
        events: Events,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._answer = answer
        self._events = events
        self._reader = reader
        self._writer = writer

    async def serve(self) -> None:
        try:
            while line := await self._reader.readline():
                self._write(await self._reply(line))
                await self._writer.drain()
        except ValueError:  # longer than the reader's limit: where the next request begins is unknown
            self._write({"error": f"a request may have at most {LONGEST_REQUEST} bytes"})
        except OSError:
            pass
        finally:
            self._events.unsubscribe(self._push)
            self._writer.close()

    def subscribe(self) -> None:
        self._events.subscribe(self._push)

    def close(self) -> None:
        self._writer.close()

    async def _reply(self, line: bytes) -> Reply:
        try:
            return await self._answer(json.loads(line), self)
        except (ValueError, RecursionError):
            return {"error": "a request is one line of JSON"}
        except RequestError as mistake:
            return {"error": str(mistake)}

    def _push(self, event: Event) -> None:
        if self._writer.transport.get_write_buffer_size() > LONGEST_BACKLOG:
            self._events.unsubscribe(self._push)
            self._writer.transport.abort()
            return
        self._write(event)

    def _write(self, message: Mapping[str, object]) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            self._writer.write(json.dumps(message).encode() + b"\n")


def parse_proxies(value: object) -> dict[str, Wanted]:
    """The desired set of an `apply`. Raises RequestError; nothing of a wrong request is applied."""
    if not isinstance(value, dict):
        raise RequestError('"proxies" must be an object: {NAME: {"bootstrap": PATH, "version": TEXT}}')
    wanted = {}
    for name, fields in value.items():
        if problem := paths.name_error(name):
            raise RequestError(problem)
        wanted[name] = _wanted(name, fields)
    return wanted


def _wanted(name: str, fields: object) -> Wanted:
    if not isinstance(fields, dict):
        raise RequestError(f"proxy {name}: must be an object")
    unknown = fields.keys() - {"bootstrap", "version", "arguments"}
    if unknown:
        raise RequestError(f"proxy {name}: there is no field {sorted(map(str, unknown))[0]!r}")
    bootstrap, version, arguments = fields.get("bootstrap"), fields.get("version"), fields.get("arguments", [])
    if not isinstance(bootstrap, str) or not bootstrap.startswith("/") or "\0" in bootstrap:
        raise RequestError(f'proxy {name}: "bootstrap" must be the absolute path of a file')
    if not Path(bootstrap).is_file():
        raise RequestError(f"proxy {name}: there is no bootstrap at {bootstrap}")
    if not isinstance(version, str) or not version:
        raise RequestError(f'proxy {name}: "version" must be a text that is not empty')
    if not isinstance(arguments, list) or not all(isinstance(item, str) and "\0" not in item for item in arguments):
        raise RequestError(f'proxy {name}: "arguments" must be a list of texts')
    return Wanted(Path(bootstrap), version, tuple(arguments))
