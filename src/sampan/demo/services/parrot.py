"""A service of plain TCP, one that speaks first: says who it is, then repeats every line. `bye` ends it."""

from __future__ import annotations

import asyncio

from sampan.demo.services.running import DRAIN_SECONDS, HOST, Identity, run, settings

MAX_LINE = 4096


class Parrot:
    """Greets with `hello from <instance> (<version>, pid <pid>)`, answers each line with `<instance>: <line>`."""

    protocol = "tcp"

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self, port: int) -> int:
        self._server = await asyncio.start_server(self._serve, HOST, port, limit=MAX_LINE)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def drain(self) -> None:
        """A line protocol has no requests in flight to speak of: whoever is connected may finish for a moment."""
        if self._server is not None:
            self._server.close()
        if self._connections:
            await asyncio.wait(tuple(self._connections), timeout=DRAIN_SECONDS / 5)
        remaining = tuple(self._connections)
        for task in remaining:
            task.cancel()
        await asyncio.gather(*remaining, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        name = self._identity.instance
        try:
            writer.write(f"hello from {name} ({self._identity.version}, pid {self._identity.pid})\n".encode())
            await writer.drain()
            while line := await reader.readline():
                writer.write(f"{name}: ".encode() + line)
                await writer.drain()
                if line.strip() == b"bye":
                    break
        except (ConnectionError, ValueError):
            pass  # the peer went away, or its line does not end
        finally:
            self._connections.discard(task)
            writer.close()


def server(identity: Identity) -> Parrot:
    return Parrot(identity)


if __name__ == "__main__":
    given = settings("parrot")
    run(given, server(given.identity))
