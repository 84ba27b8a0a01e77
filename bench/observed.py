"""The control plane as it is, with one observer and one source more.

`python -m bench.observed SOCKET [arguments of sampan.daemon]`, in the place of `python -m sampan.daemon`. Each
publication and its ACK is told to the Unix datagram socket SOCKET; documents that come in at SOCKET.in go to a memory
source. Moments are those of CLOCK_MONOTONIC, which all processes of a machine share: so the telling may take its time.
"""

from __future__ import annotations

import asyncio
import json
import runpy
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

from sampan.daemon.pipeline import Pipeline
from sampan.sources.memory import Memory
from sampan.sources.source import Source
from sampan.xds.control import Control

LONGEST = 1 << 16


@dataclass(slots=True)
class Observer:
    """`put` is the moment of the memory source's latest event."""

    path: str
    put: float = 0.0
    _to: socket.socket = field(default_factory=lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def install(self) -> None:
        """From now on every Control tells its publications, and every Pipeline has the memory source too."""
        self._to.connect(self.path)
        self._to.setblocking(False)  # ten datagrams may wait (net.unix.max_dgram_qlen): nobody is to be held up by it
        Control.publish = self._telling(Control.publish)  # type: ignore[method-assign]
        Control.publish_rows = self._telling(Control.publish_rows)  # type: ignore[method-assign]
        Pipeline.begin = self._with_memory(Pipeline.begin)  # type: ignore[method-assign, assignment]

    def _telling(self, method: Callable[..., int]) -> Callable[..., int]:
        @wraps(method)
        def publish(control: Control, scope: str, *given: Any, **named: Any) -> int:
            before, moment = control.revision(scope), time.monotonic()
            revision = method(control, scope, *given, **named)
            if revision != before:
                self._run(self._follow(control, scope, revision, moment))
            return revision

        return publish

    async def _follow(self, control: Control, scope: str, revision: int, published: float) -> None:
        put = self.put
        if await control.settled(scope, revision, timeout=60):
            told = {"revision": revision, "put": put, "published": published, "settled": time.monotonic()}
            with suppress(BlockingIOError):
                self._to.send(json.dumps(told).encode())

    def _with_memory(self, method: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        @wraps(method)
        async def begin(pipeline: Pipeline, sources: Sequence[Source]) -> None:
            memory = Memory(pipeline.world.kinds)
            self._run(memory.run(pipeline.take))
            self._listen(memory)
            await method(pipeline, [*sources, memory])

        return begin

    def _listen(self, memory: Memory) -> None:
        inbox = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        inbox.bind(f"{self.path}.in")
        inbox.setblocking(False)

        def take() -> None:
            text = inbox.recv(LONGEST).decode()
            self.put = time.monotonic()
            memory.put("moving", text)

        asyncio.get_running_loop().add_reader(inbox, take)

    def _run(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


if __name__ == "__main__":
    Observer(sys.argv.pop(1)).install()
    runpy.run_module("sampan.daemon", run_name="__main__", alter_sys=True)
