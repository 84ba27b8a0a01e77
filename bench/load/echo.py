"""Upstreams with state: gRPC streams and WebSockets that give every message back after a while.

`python -m bench.load.echo --delay 0.1 --grpc PORT… --websocket PORT…`
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import grpc
import grpc.aio

from bench.load.grpc_streams import METHOD, SERVICE
from sampan.demo.websocket import ProtocolError, WebSocket, accept_key


async def main(delay: float, grpc_ports: list[int], websocket_ports: list[int]) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    servers = [await _grpc_server(port, delay) for port in grpc_ports]
    sockets = [await _websocket_server(port, delay) for port in websocket_ports]
    await stop.wait()
    for one in servers:
        await one.stop(0)
    for other in sockets:
        other.close()


async def _grpc_server(port: int, delay: float) -> grpc.aio.Server:
    async def talk(messages: AsyncIterator[bytes], _: object) -> AsyncIterator[bytes]:
        """Answers keep their order and distances: each is due `delay` after its question, however many there are."""
        loop = asyncio.get_running_loop()
        due: asyncio.Queue[float | None] = asyncio.Queue()

        async def listen() -> None:
            async for _message in messages:
                due.put_nowait(loop.time() + delay)
            due.put_nowait(None)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(listen())
            while (moment := await due.get()) is not None:
                await asyncio.sleep(max(0.0, moment - loop.time()))
                yield b"\x08\x01"

    server = grpc.aio.server()
    handler: Any = grpc.stream_stream_rpc_method_handler(talk)  # bytes in, bytes out
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler}),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    return server


async def _websocket_server(port: int, delay: float) -> asyncio.Server:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError, ProtocolError):
            await _talk(reader, writer, delay)
        writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", port)


async def _talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    fields = dict(line.lower().split(": ", 1)[:1] + line.split(": ", 1)[1:] for line in head.split("\r\n")[1:-2])
    key = accept_key(fields["sec-websocket-key"])
    answer = f"upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: {key}"
    writer.write(f"HTTP/1.1 101 Switching Protocols\r\n{answer}\r\n\r\n".encode())
    web = WebSocket(reader, writer, client=False)
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as tasks:

        async def later(text: str, due: float) -> None:
            await asyncio.sleep(max(0.0, due - loop.time()))
            await web.send(text)

        while (text := await web.receive()) is not None:
            tasks.create_task(later(text, loop.time() + delay))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=0.1)
    parser.add_argument("--grpc", type=int, nargs="*", default=[])
    parser.add_argument("--websocket", type=int, nargs="*", default=[])
    given = parser.parse_args()
    asyncio.run(main(given.delay, given.grpc, given.websocket))
