"""The client: reads, blocking queries and writes over one bounded pool of connections.

async with Client(Target()) as client:
    answer = await client.get(path("health", "service", "web"))
    async for event in client.watch(path("catalog", "services")):
        ...
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Any, Self

import aiohttp
from yarl import URL

from sampan.consul import watching, wire
from sampan.consul.durations import format_duration
from sampan.consul.errors import LeaderlessError, RefusedError, UnreachableError
from sampan.consul.exchange import bounded, decoded, once, reason
from sampan.consul.lane import Lane
from sampan.consul.outage import LIMITED_LAST, Outage, Sleep
from sampan.consul.target import Target
from sampan.consul.watching import Away as Away
from sampan.consul.watching import Patience
from sampan.consul.wire import NO_QUERY, Answer, Query
from sampan.model.printable import one_line

CONNECTIONS = 64
_KEEP, _KEEP_BLOCKING = 300.0, 15.0
RESERVED = 8
"""Connections that blocking queries leave to everything else: a write never waits for the end of one."""
WAIT = 60.0
SOON = 1.0
"""Seconds; a blocking query that waits no longer counts as any other call."""
TIMEOUT = 10.0
"""Seconds for an answer, beyond what a blocking query may wait."""
_LARGEST_TEXT = 500


class Client:
    """For one event loop; a context manager. At most `connections` are open at once."""

    def __init__(
        self,
        target: Target,
        connections: int = CONNECTIONS,
        sleep: Sleep = asyncio.sleep,
        reserved: int = RESERVED,
    ) -> None:
        self.target = target
        self.connections, self._reserved = max(connections, reserved + 1), reserved
        self._outage = Outage(sleep)
        self._sleep = sleep
        # Apart, so that where the server takes no more connections, those for everything else are there already.
        self._short = Lane(target, reserved, _KEEP)
        self._blocking = Lane(target, self.connections - reserved, _KEEP_BLOCKING)
        self.waiting = 0
        """Blocking queries that are under way."""

    @property
    def watches(self) -> int:
        """How many blocking queries can be under way at once; more of them wait for one another."""
        return self.connections - self._reserved

    def allow(self, connections: int) -> None:
        """More connections than it was made with: the server said that it takes them. Never fewer."""
        self._blocking.widen(connections - self.connections)
        self.connections = max(self.connections, connections)

    async def __aenter__(self) -> Self:
        """Raises TargetError if certificates cannot be read. Connects to nothing yet."""
        tls = self.target.tls()
        await self._short.open(tls)
        await self._blocking.open(tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._blocking.close()
        await self._short.close()

    def __repr__(self) -> str:
        return f"Client({self.target!r})"

    # ---- calls

    async def get(
        self, path: str, query: Query = NO_QUERY, index: int | None = None, wait: float | None = None
    ) -> Answer:
        """Reads. With an `index` above 0 it waits up to `wait` seconds until there is something newer. A 404 is an
        answer; any other refusal raises RefusedError, no answer UnreachableError, nonsense GarbageError, and one
        without a leader LeaderlessError."""
        if not index:
            return _led(await self._call(self._short, "GET", path, query))
        seconds = WAIT if wait is None else wait
        query = {**query, wire.INDEX_QUERY: str(index), "wait": format_duration(seconds)}
        lane = self._short if seconds <= SOON else self._blocking
        # Consul adds up to a sixteenth of the wait by chance.
        return _led(await self._call(lane, "GET", path, query, timeout=seconds * 17 / 16 + TIMEOUT))

    async def put(self, path: str, body: Any = None, query: Query = NO_QUERY, raw: bytes | None = None) -> Answer:
        """Writes: `body` as JSON, or `raw` as it is."""
        data = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        return await self._call(self._short, "PUT", path, query, data)

    async def delete(self, path: str, query: Query = NO_QUERY) -> Answer:
        return await self._call(self._short, "DELETE", path, query)

    def watch(
        self, path: str, query: Query = NO_QUERY, wait: float = WAIT, index: int = 0
    ) -> AsyncGenerator[Answer | Away, None]:
        """The answer now, then one for each change, without end; `Away` for each attempt that failed. With an `index`,
        only what is newer. Close it (`aclosing`) to give its connection back at once."""
        return watching.watch(lambda asked: self.get(path, query, asked, wait), self.patience, wait, index)

    @property
    def patience(self) -> Patience:
        """How to wait after failures, for watches with calls of their own."""
        return Patience(self._outage, self._sleep)

    # ---- one exchange

    async def _call(
        self, lane: Lane, method: str, path: str, query: Query, data: bytes | None = None, timeout: float = TIMEOUT
    ) -> Answer:
        text = wire.query_text({**self.target.scope, **query})
        url = URL(f"{self.target.base}{path}{'?' if text else ''}{text}", encoded=True)
        async with lane.session() as session:
            self.waiting += wire.INDEX_QUERY in query
            try:
                async with session.request(
                    method,
                    url,
                    data=data,
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=TIMEOUT, sock_read=timeout),
                    allow_redirects=False,  # a token goes nowhere but where it was meant to go
                    server_hostname=self.target.server_name or None,
                    middlewares=() if method == "GET" and wire.INDEX_QUERY not in query else (once,),
                ) as response:
                    body = await bounded(response, path)
                    status, headers = response.status, response.headers
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                raise UnreachableError(self._told(f"{self.target.address}: {reason(error)}")) from None
            finally:
                self.waiting -= wire.INDEX_QUERY in query
        self._outage.note_answer()
        if not 200 <= status < 300 and not (status == 404 and wire.INDEX in headers and method == "GET"):
            raise self._refusal(method, path, status, body, headers.get(wire.RETRY_AFTER, ""))
        kept = {name.title(): value for name, value in headers.items() if name.lower().startswith("x-consul-")}
        return Answer(status, wire.index_of(headers), decoded(body, status, path), kept)

    def _refusal(self, method: str, path: str, status: int, body: bytes, retry_after: str) -> RefusedError:
        text = body[: 4 * _LARGEST_TEXT].decode("utf-8", "replace").strip()
        seconds = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0.0
        return RefusedError(method, path, status, self._told(text), min(seconds, LIMITED_LAST))

    def _told(self, text: str) -> str:
        """Fit for a message: one line, of a length to read, without the token."""
        if self.target.token:
            text = text.replace(self.target.token, "(the token)")
        return one_line(text[:_LARGEST_TEXT])


def _led(answer: Answer) -> Answer:
    """A server without a leader may have started a moment ago, and know little yet: that is no news (`stale` reads are
    answered all the same)."""
    if answer.headers.get(wire.KNOWN_LEADER) == "false":
        raise LeaderlessError("the cluster has no leader")
    return answer
