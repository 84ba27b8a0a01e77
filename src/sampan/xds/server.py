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

WRITE_TIMEOUT = 30.0  # seconds; a proxy that takes nothing for that long is cut off and may come back
MESSAGE_LIMIT = 64 * 1024 * 1024  # a reconnecting proxy sends about 54 bytes for each name it has
PATH_LIMIT = 100  # bytes; sockaddr_un has 108 on Linux and 104 on macOS, and our temporary name is longer by a few

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


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens: the path of a Unix socket, and the TCP port if one was asked for."""

    path: Path
    port: int | None
    inode: int

    def ours(self) -> bool:
        """Whether the path still leads here: a newer server may have taken it over."""
        with suppress(OSError):
            return os.stat(self.path).st_ino == self.inode
        return False


@asynccontextmanager
async def serving(
    control: Control, path: Path, *, tcp: str | None = None, replace: bool = True
) -> AsyncIterator[Address]:
    """Serves while the block runs, then lets the streams end by themselves.

    The socket, with mode 0600, is put in the place of whatever stands at `path` in one step: streams of a server that
    had it go on, new ones come here. `replace=False` leaves a living server its place and raises FileExistsError.
    `tcp` ("127.0.0.1:0") opens a port too, without encryption. OSError if the place cannot be taken.
    """
    path = path.absolute()
    if len(os.fsencode(path)) > PATH_LIMIT:
        raise OSError(f"the path of a Unix socket has at most {PATH_LIMIT} bytes: {path}")
    server = grpc.aio.server(options=_OPTIONS)
    handler: Any = grpc.stream_stream_rpc_method_handler(_Handler(control).stream)
    service = "envoy.service.discovery.v3.AggregatedDiscoveryService"
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(service, {"DeltaAggregatedResources": handler}),)
    )
    # gRPC removes the path it was given when it stops, whoever owns it by then; so it is given one of its own.
    own = path.with_name(f".{os.getpid():x}")
    mask = os.umask(0o177)
    try:
        server.add_insecure_port(f"unix:{own}")
        port = server.add_insecure_port(tcp) if tcp else None
    except RuntimeError as error:
        raise OSError(f"cannot listen on {tcp or path}: {error}") from None
    finally:
        os.umask(mask)
    await server.start()
    address = Address(path, port, os.stat(own).st_ino)
    try:
        await _take(own, path, replace)
        yield address
    finally:
        if address.ours():
            path.unlink(missing_ok=True)
        control.end_all()
        await server.stop(grace=1.0)
        own.unlink(missing_ok=True)


async def _take(own: Path, path: Path, replace: bool) -> None:
    if not replace and await _alive(path):
        raise FileExistsError(f"a server is listening on {path}")
    if replace:
        os.rename(own, path)
        return
    path.unlink(missing_ok=True)
    os.link(own, path)  # fails if somebody was faster
    own.unlink()


async def _alive(path: Path) -> bool:
    try:
        _, writer = await asyncio.open_unix_connection(path)
    except OSError:
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
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
                try:
                    await _write(stream, context)
                except TimeoutError:
                    failure = "the proxy takes no responses"
                reader.cancel()
            if not failure and not reader.cancelled():
                failure = reader.result()
        finally:
            self._control.close(stream)
        if failure:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, failure)


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


async def _write(stream: Stream, context: Any) -> None:
    """One write at a time, awaited: a slow proxy has a set of dirty names, not a queue of messages."""
    while not stream.ended:
        stream.wake.clear()
        body = stream.next_response()
        if body is not None:
            async with asyncio.timeout(WRITE_TIMEOUT):
                await context.write(body)
            continue
        with suppress(TimeoutError):
            async with asyncio.timeout(stream.delay()):
                await stream.wake.wait()
