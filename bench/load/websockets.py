"""WebSockets that stay open for the whole run, a message at scheduled moments on all of them in turn."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from bench.load.tally import Tally
from sampan.demo.websocket import WebSocket, new_key


@dataclass(slots=True, eq=False)
class Socket:
    outgoing: asyncio.Queue[float] = field(default_factory=asyncio.Queue)
    unanswered: deque[float] = field(default_factory=deque)
    lost: bool = False


@dataclass(slots=True)
class WebSockets:
    loop: asyncio.AbstractEventLoop
    port: int
    host: str
    path: str
    tally: Tally
    timeout: float = 5.0
    width: int = 5
    _sockets: list[Socket] = field(default_factory=list)
    _turn: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def send(self, due: float) -> None:
        self.tally.send(self.loop.time() - due)
        self._turn = (self._turn + 1) % self.width
        while len(self._sockets) <= self._turn:
            self._sockets.append(self._open())
        if self._sockets[self._turn].lost:
            self._sockets[self._turn] = self._open()
        socket = self._sockets[self._turn]
        socket.unanswered.append(due)
        socket.outgoing.put_nowait(due)

    def _open(self) -> Socket:
        socket = Socket()
        self.tally.connections += 1
        task = self.loop.create_task(self._follow(socket))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return socket

    async def _follow(self, socket: Socket) -> None:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError as error:
            self._lose(socket, "connect", str(error))
            return
        try:
            status = await self._handshake(reader, writer)
            if status != 101:
                self._lose(socket, "status", f"{status} to the handshake")
                return
            async with asyncio.TaskGroup() as tasks:
                web = WebSocket(reader, writer, client=True)
                sending = tasks.create_task(self._send(web, socket))
                while await web.receive() is not None:
                    self.tally.succeed(self.loop.time() - socket.unanswered.popleft())
                sending.cancel()
            self._lose(socket, "stream", "closed by the other side")
        except* (OSError, EOFError, IndexError) as errors:
            self._lose(socket, "stream", str(errors.exceptions[0]))
        finally:
            writer.close()

    async def _handshake(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
        writer.write(
            f"GET {self.path} HTTP/1.1\r\nhost: {self.host}\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
            f"sec-websocket-version: 13\r\nsec-websocket-key: {new_key()}\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        return int(head[9:12])

    @staticmethod
    async def _send(web: WebSocket, socket: Socket) -> None:
        while True:
            await socket.outgoing.get()
            await web.send("hello")

    def _lose(self, socket: Socket, kind: str, what: str) -> None:
        """The break is a failure, and so is every message that now stays unanswered."""
        if socket.lost:
            return
        socket.lost = True
        now = self.loop.time()
        self.tally.fail("connect" if kind == "connect" else "status" if kind == "status" else "stream", what, now)
        for _ in list(socket.unanswered)[1:]:
            self.tally.fail("stream", what, now)
        socket.unanswered.clear()

    async def tend(self) -> None:
        """Gives up what has waited too long, ten times a second."""
        while True:
            await asyncio.sleep(0.1)
            now = self.loop.time()
            for socket in self._sockets:
                if socket.unanswered and now - socket.unanswered[0] > self.timeout:
                    self._lose(socket, "stream", f"no answer within {self.timeout:g} s")

    def unanswered(self) -> int:
        return sum(len(socket.unanswered) for socket in self._sockets)

    def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
