"""gRPC: a few long bidirectional streams, messages at scheduled moments on all of them in turn.

A stream lives for some seconds, is then closed in an orderly way and followed by a new one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio

from bench.load.tally import Tally

SERVICE, METHOD = "bench.Echo", "Talk"
_OPTIONS = (("grpc.enable_retries", 0),)


@dataclass(slots=True, eq=False)
class Talk:
    """One stream: what waits to be sent (None ends it), and the moments the unanswered were due, oldest first."""

    outgoing: asyncio.Queue[float | None] = field(default_factory=asyncio.Queue)
    unanswered: deque[float] = field(default_factory=deque)
    until: float = 0.0
    closing: bool = False


@dataclass(slots=True)
class GrpcStreams:
    loop: asyncio.AbstractEventLoop
    port: int
    tally: Tally
    host: str = "grpc.example.com"
    timeout: float = 5.0
    width: int = 20
    lifetime: float = 8.0
    _talks: list[Talk] = field(default_factory=list)
    _turn: int = 0
    _tasks: dict[asyncio.Task[None], Talk] = field(default_factory=dict)
    _channel: grpc.aio.Channel | None = None

    def send(self, due: float) -> None:
        self.tally.send(self.loop.time() - due)
        self._turn = (self._turn + 1) % self.width
        while len(self._talks) <= self._turn:
            # Staggered: they do not all end at the same moment.
            self._talks.append(self._open(self.lifetime * (1 + len(self._talks) / self.width)))
        talk = self._talks[self._turn]
        if due > talk.until:
            talk.closing = True
            talk.outgoing.put_nowait(None)
            talk = self._talks[self._turn] = self._open(self.lifetime)
        talk.unanswered.append(due)
        talk.outgoing.put_nowait(due)

    def _open(self, lifetime: float) -> Talk:
        if self._channel is None:
            options = (*_OPTIONS, ("grpc.default_authority", self.host))
            self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{self.port}", options=options)
        talk = Talk(until=self.loop.time() + lifetime)
        self.tally.connections += 1
        task = self.loop.create_task(self._follow(talk, self._channel))
        self._tasks[task] = talk
        task.add_done_callback(lambda done: self._tasks.pop(done, None))
        return talk

    async def _follow(self, talk: Talk, channel: grpc.aio.Channel) -> None:
        method: Any = channel.stream_stream(f"/{SERVICE}/{METHOD}")  # bytes out, bytes in
        call = method(_messages(talk))
        try:
            async for _ in call:
                if talk.unanswered:
                    self.tally.succeed(self.loop.time() - talk.unanswered.popleft())
        except grpc.aio.AioRpcError as error:
            self._lose(talk, f"{error.code().name} {error.details()}")
            return
        if not talk.closing or talk.unanswered:
            self._lose(talk, "the other side ended the stream")

    def _lose(self, talk: Talk, what: str) -> None:
        """A break is one failure, or one for each message that now stays unanswered."""
        talk.until = 0.0
        for _ in range(max(1, len(talk.unanswered))):
            self.tally.fail("stream", what, self.loop.time())
        talk.unanswered.clear()

    async def tend(self) -> None:
        """Gives up what has waited too long, ten times a second."""
        while True:
            await asyncio.sleep(0.1)
            now = self.loop.time()
            for talk in list(self._tasks.values()):
                while talk.unanswered and now - talk.unanswered[0] > self.timeout:
                    talk.unanswered.popleft()
                    self.tally.fail("timeout", f"after {self.timeout:g} s", now)

    def unanswered(self) -> int:
        return sum(len(talk.unanswered) for talk in self._tasks.values())

    def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()


async def _messages(talk: Talk) -> AsyncIterator[bytes]:
    while await talk.outgoing.get() is not None:
        yield b"\x08\x01"
