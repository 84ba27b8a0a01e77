"""One generator: `python -m bench.load KIND --port P --rate R --target HOST PATH … --report FILE`, until SIGTERM.

Then it waits for what is unanswered and writes its tally to FILE as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import signal
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from bench.load.schedule import paced
from bench.load.tally import Tally


class Generator(Protocol):
    timeout: float

    def send(self, due: float) -> None: ...
    async def tend(self) -> None: ...
    def unanswered(self) -> int: ...
    def close(self) -> None: ...


def _http1(given: Any, loop: asyncio.AbstractEventLoop, tally: Tally) -> Generator:
    from bench.load.http1 import Http1

    return Http1(loop, given.port, given.target, tally, requests_per_connection=given.per_connection or 1000)


def _https(given: Any, loop: asyncio.AbstractEventLoop, tally: Tally) -> Generator:
    from bench.load.http1 import Http1

    context = ssl.create_default_context(cafile=given.ca)
    each = given.per_connection or 20
    name = given.target[0][0]
    return Http1(loop, given.port, given.target, tally, requests_per_connection=each, tls=context, server_name=name)


def _http2(given: Any, loop: asyncio.AbstractEventLoop, tally: Tally) -> Generator:
    from bench.load.http2 import Http2

    return Http2(loop, given.port, given.target, tally, requests_per_connection=given.per_connection or 5000)


def _grpc(given: Any, loop: asyncio.AbstractEventLoop, tally: Tally) -> Generator:
    from bench.load.grpc_streams import GrpcStreams

    return GrpcStreams(loop, given.port, tally, host=given.target[0][0])


def _websocket(given: Any, loop: asyncio.AbstractEventLoop, tally: Tally) -> Generator:
    from bench.load.websockets import WebSockets

    host, path = given.target[0]
    return WebSockets(loop, given.port, host, path, tally)


KINDS: dict[str, Callable[[Any, asyncio.AbstractEventLoop, Tally], Generator]] = {
    "http1": _http1,
    "https": _https,
    "http2": _http2,
    "grpc": _grpc,
    "websocket": _websocket,
}


async def run(given: Any) -> None:
    loop = asyncio.get_running_loop()
    tally, stop = Tally(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    generator = KINDS[given.kind](given, loop, tally)
    async with asyncio.TaskGroup() as tasks:
        tending = tasks.create_task(generator.tend())
        tally.began = loop.time()
        await paced(given.rate, generator.send, stop, loop.time)
        tally.ended = loop.time()
        limit = loop.time() + generator.timeout + 0.5
        while generator.unanswered() and loop.time() < limit:
            await asyncio.sleep(0.01)
        tending.cancel()
        generator.close()
    used = resource.getrusage(resource.RUSAGE_SELF)
    found = {**tally.json(), "cpu_seconds": round(used.ru_utime + used.ru_stime, 2), "kind": given.kind}
    Path(given.report).write_text(json.dumps(found))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--target", nargs=2, action="append", required=True, metavar=("HOST", "PATH"))
    parser.add_argument("--per-connection", type=int, default=0)
    parser.add_argument("--ca", default=None)
    parser.add_argument("--report", required=True)
    asyncio.run(run(parser.parse_args()))
