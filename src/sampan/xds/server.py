"""The gRPC shell around Control: `AggregatedDiscoveryService.DeltaAggregatedResources` as raw bytes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from sampan.xds.control import Control, Stream
from sampan.xds.message import BadRequestError

WRITE_TIMEOUT = 30.0  # seconds; a proxy that takes nothing for that long does not count as connected
MESSAGE_LIMIT = 64 * 1024 * 1024  # a reconnecting proxy sends about 54 bytes for each name it has
PATH_LIMIT = 103  # bytes; sockaddr_un has 108 on Linux and 104 on macOS, with a closing NUL
_SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"

_OPTIONS = (
    ("grpc.so_reuseport", 0),  # the default is on: two control planes on one port would split the streams silently
    ("grpc.max_receive_message_length", MESSAGE_LIMIT),
    ("grpc.max_send_message_length", MESSAGE_LIMIT),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),  # the bootstrap pings every 10 s
    ("grpc.http2.max_pings_without_data", 0),
)


def socket_path(runtime: Path) -> Path:
    """Where a Sampan with that runtime folder serves its proxies."""
    return runtime / "xds.sock"


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens: `path` is a link to `own`, the socket itself; `port` of TCP if one was asked for.

    The link is put in the place of whatever stands at `path` in one step. Streams of a server that had it before go on;
    new ones come here. Whoever loses the place can `take` it again: its socket is still there.
    """

    path: Path
    own: Path
    port: int | None

    def ours(self) -> bool:
        """Whether the path still leads here."""
        with suppress(OSError):
            return os.readlink(self.path) == self.own.name
        return False

    async def take(self) -> None:
        """Makes the path lead here."""
        link = self.own.with_name(f"{self.own.name}.link")
        link.unlink(missing_ok=True)
        link.symlink_to(self.own.name)
        link.replace(self.path)


@asynccontextmanager
async def serving(control: Control, path: Path, *, tcp: str | None = None) -> AsyncIterator[Address]:
    """Serves at a Unix socket of mode 0600 while the block runs, then lets the streams end by themselves.

    `tcp` ("127.0.0.1:0") opens a port too, without encryption. OSError if the place cannot be taken.
    """
    path = path.absolute()
    own = path.with_name(f"{path.name}.{os.getpid()}")  # gRPC removes the path it was given, whoever owns it by then
    if len(os.fsencode(own)) > PATH_LIMIT:
        raise OSError(f"a Unix socket's path has at most {PATH_LIMIT} bytes, this has {len(os.fsencode(own))}: {own}")
    _sweep(path)
    server = grpc.aio.server(options=_OPTIONS)
    handler: Any = grpc.stream_stream_rpc_method_handler(_Handler(control).stream)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(_SERVICE, {"DeltaAggregatedResources": handler}),)
    )
    mask = os.umask(0o177)
    try:
        server.add_insecure_port(f"unix:{own}")
        port = server.add_insecure_port(tcp) if tcp else None
    except RuntimeError as error:
        raise OSError(f"cannot listen on {tcp or path}: {error}") from None
    finally:
        os.umask(mask)
    await server.start()
    address = Address(path, own, port)
    try:
        await address.take()
        yield address
    finally:
        if address.ours():
            path.unlink(missing_ok=True)
        control.end_all()
        await server.stop(grace=1.0)
        own.unlink(missing_ok=True)


def _sweep(path: Path) -> None:
    """Removes the sockets of servers that were killed, and one that we left ourselves with this process id."""
    for left in path.parent.glob(f"{path.name}.*"):
        number = left.name[len(path.name) + 1 :].partition(".")[0]
        if number.isdigit() and (int(number) == os.getpid() or not _lives(int(number))):
            left.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class _Handler:
    def __init__(self, control: Control) -> None:
        self._control = control

    async def stream(self, _requests: Any, context: Any) -> None:
        stream = self._control.open()
        failure: str | None = None
        try:
            async with asyncio.TaskGroup() as group:
                reader = group.create_task(_read(stream, context))
                await self._write(stream, context)
                reader.cancel()
            if not reader.cancelled():
                failure = reader.result()
        finally:
            self._control.close(stream)
        if failure:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, failure)

    async def _write(self, stream: Stream, context: Any) -> None:
        """One write at a time, awaited: a slow proxy has a set of dirty names, not a queue of messages."""
        while not stream.ended:
            stream.wake.clear()
            body = stream.next_response()
            if body is None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(stream.delay()):
                        await stream.wake.wait()
                continue
            # gRPC has no way to break off a write. Until a proxy that stalls takes it, nobody waits for that proxy;
            # then the stream ends, and the proxy comes back and says what it has.
            stalled = asyncio.get_running_loop().call_later(WRITE_TIMEOUT, self._control.close, stream)
            try:
                await context.write(body)
            finally:
                stalled.cancel()
            if not self._control.knows(stream):
                return


async def _read(stream: Stream, context: Any) -> str | None:
    """Until the proxy ends the stream; gives what was wrong with a request, if that was the end."""
    try:
        while True:
            data = await context.read()
            if data is grpc.aio.EOF:
                return None
            stream.receive(data)
    except BadRequestError as error:
        return str(error)
    finally:
        stream.end()
