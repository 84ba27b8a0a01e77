"""The control plane's side of the supervisor's control socket (`sampan.proxy.control` has the protocol)."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

_LONGEST_REPLY = 16 << 20


class SupervisorError(Exception):
    """The supervisor cannot be reached, or refused a request: the text is its sentence."""


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """What a proxy is to run: `path` of a bootstrap file (absolute), `version` (the hash of its bytes: a change
    restarts the Envoy, with overlap) and more arguments for Envoy, for example ("--concurrency", "2")."""

    path: Path
    version: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunningProxy:
    """One run of an Envoy. A proxy that is being replaced has two. `since` is in seconds since 1970."""

    proxy: str
    pid: int
    since: float
    version: str
    state: Literal["starting", "ready", "draining", "exited"]
    admin: Path


@dataclass(frozen=True, slots=True)
class Event:
    """`kind` and what `fields` it has:

    started, ready, draining: proxy, pid, version; exited: the same with how ("signal 9 (SIGKILL)") and planned;
    restarting: proxy, how, delay (seconds); control: state (started, ready, exited); replay: state; companion: name,
    state; stopping: none.
    """

    kind: str
    time: float
    fields: Mapping[str, Any]


async def _nothing_to_do() -> None:
    return None


class Supervisor:
    """A connection to the supervisor: `async with Supervisor(socket) as supervisor: …`. Every call may raise
    SupervisorError. Calls of several tasks take turns."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._turn = asyncio.Lock()
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await _connect(self._socket)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def hello(self) -> dict[str, Any]:
        """Of the supervisor: `protocol`, `pid`, `since`, `stopping`, `control_ready`: is a control plane there, and
        the process ids of `companions` by name."""
        facts = await self._call({"op": "hello"})
        facts.pop("proxies", None)
        return facts

    async def list(self) -> tuple[RunningProxy, ...]:
        return _proxies(await self._call({"op": "list"}))

    async def apply(self, proxies: Mapping[str, Bootstrap]) -> tuple[RunningProxy, ...]:
        """The whole desired set, by name (`default/shop`): starts what is missing, drains what is not named, restarts
        what has another version, leaves the rest alone. Answers at once with what runs; events tell what follows."""
        wanted = {
            name: {"bootstrap": str(item.path), "version": item.version, "arguments": list(item.arguments)}
            for name, item in proxies.items()
        }
        return _proxies(await self._call({"op": "apply", "proxies": wanted}))

    async def down(self) -> None:
        """Drains and ends everything, this control plane too."""
        await self._call({"op": "down"})

    async def stay_ready(self, replayed: Callable[[], Awaitable[None]] = _nothing_to_do, interval: float = 1.0) -> None:
        """Says ready, then sends heartbeats for ever: a task of the control plane's TaskGroup, begun when its xDS
        server listens. `replayed` is awaited when the replay server had taken the xDS socket: listen on it again.
        A control plane that is silent for 10 s is killed and started again."""
        answer = await self._call({"op": "ready"})
        while True:
            if answer.get("replayed"):
                await replayed()
            await asyncio.sleep(interval)
            answer = await self._call({"op": "heartbeat"})

    async def _call(self, request: Mapping[str, object]) -> dict[str, Any]:
        async with self._turn:
            await _send(self._writer, request)
            return await _receive(self._reader)


@contextlib.asynccontextmanager
async def events(socket: Path) -> AsyncIterator[AsyncIterator[Event]]:
    """`async with events(socket) as stream: async for event in stream: …`: everything from the moment of entering on.
    Ends when the supervisor does. Raises SupervisorError."""
    reader, writer = await _connect(socket)
    try:
        await _send(writer, {"op": "subscribe"})
        await _receive(reader)
        yield _events(reader)
    finally:
        writer.close()


async def _events(reader: asyncio.StreamReader) -> AsyncIterator[Event]:
    with contextlib.suppress(OSError):
        while line := await reader.readline():
            fields = json.loads(line)
            yield Event(fields.pop("event"), fields.pop("time"), fields)


def call(socket: Path, request: Mapping[str, object]) -> dict[str, Any]:
    """One request from a program without asyncio. Raises SupervisorError."""

    async def once() -> dict[str, Any]:
        reader, writer = await _connect(socket)
        try:
            await _send(writer, request)
            return await _receive(reader)
        finally:
            writer.close()

    return asyncio.run(once())


async def _connect(socket: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        return await asyncio.open_unix_connection(socket, limit=_LONGEST_REPLY)
    except OSError as error:
        raise SupervisorError(f"no supervisor answers at {socket}: {error.strerror or error}") from error


async def _send(writer: asyncio.StreamWriter, request: Mapping[str, object]) -> None:
    try:
        writer.write(json.dumps(request).encode() + b"\n")
        await writer.drain()
    except OSError as error:
        raise SupervisorError("the supervisor is gone") from error


async def _receive(reader: asyncio.StreamReader) -> dict[str, Any]:
    try:
        line = await reader.readline()
    except OSError as error:
        raise SupervisorError("the supervisor is gone") from error
    if not line:
        raise SupervisorError("the supervisor is gone")
    answer: dict[str, Any] = json.loads(line)
    if "error" in answer:
        raise SupervisorError(answer["error"])
    return answer


def _proxies(answer: Mapping[str, Any]) -> tuple[RunningProxy, ...]:
    facts: Sequence[Mapping[str, Any]] = answer["proxies"]
    return tuple(RunningProxy(**{**item, "admin": Path(item["admin"])}) for item in facts)
