"""Reads that may wait: what a view shows now, or as soon as its index has passed the one that the client knows.

The bytes of an answer are made once for each index: a thousand clients that wait for one service are woken with the
same body.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from sampan.registry.api.answer import AT_ONCE, JSON_TYPE, PIECE, Pieces, encode, encoded, read_headers
from sampan.registry.api.question import Question
from sampan.registry.tables import Tables, Topic

# What is kept of bodies, altogether and of one: a service of a thousand instances is 1 MB.
MOST_KEPT = 32 << 20
LARGEST_KEPT = 4 << 20
# Beside the bytes themselves, what an entry costs.
_ENTRY = 512
_NOT_THE_BODY = frozenset(("index", "wait", "hash", "token", "stale", "consistent", "cached"))
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a view shows: when it last changed, what to wait for, and how to make the body (called at most once).
    `body` gives what JSON can say; bytes go out as they are, as `content_type`."""

    index: int
    topics: Collection[Topic]
    body: Callable[[], Any]
    status: int = 200
    content_type: str = JSON_TYPE
    headers: dict[str, str] = field(default_factory=dict)
    cached: bool = False
    """Whether `?cached` means anything to this call in Consul (agent/cache-types)."""


View = Callable[[], Reading]


class Reads:
    """Answers views over the tables."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._bodies: OrderedDict[Key, tuple[int, bytes]] = OrderedDict()
        self._kept = 0
        self._made: dict[tuple[Key, int], asyncio.Task[bytes]] = {}
        """What is being made: it may take several turns, and all who ask meanwhile get the same."""

    async def answer(self, question: Question, view: View) -> web.Response:
        """Waits if the client knows the index already; then the view as it is."""
        reading = view()
        if question.index and reading.index <= question.index:
            reading = await self._later(question, view, reading)
        headers = {**read_headers(reading.index, _consistency(question)), **reading.headers}
        body, found = await self._body(question, reading)
        if reading.cached and question.cached:
            # Never old: what is kept is that of the index that is told.
            headers |= {"X-Cache": "HIT", "Age": "0"} if found else {"X-Cache": "MISS"}
        kind = reading.content_type or None
        if len(body) > PIECE:
            return web.Response(
                status=reading.status, body=Pieces(body, kind or "application/octet-stream"), headers=headers
            )
        return web.Response(status=reading.status, body=body, headers=headers, content_type=kind)

    async def _later(self, question: Question, view: View, reading: Reading) -> Reading:
        loop = asyncio.get_running_loop()
        end = loop.time() + question.wait
        while reading.index <= question.index:
            left = end - loop.time()
            if left <= 0 or not await self._tables.changed(reading.topics, left):
                return view()
            reading = view()
        return reading

    async def _body(self, question: Question, reading: Reading) -> tuple[bytes, bool]:
        """And whether it was there."""
        key = _key(question)
        kept = self._bodies.get(key)
        if kept is not None and kept[0] == reading.index and reading.status == 200:
            self._bodies.move_to_end(key)
            return kept[1], True
        making = self._made.get((key, reading.index)) if reading.status == 200 else None
        if making is None:
            value = reading.body()
            if not isinstance(value, list | dict) or len(value) <= AT_ONCE:
                body = value if isinstance(value, bytes) else encode(value, pretty=question.pretty)
                self._keep(key, reading, body)
                return body, False
            making = asyncio.create_task(self._make(key, reading, value, pretty=question.pretty))
            self._made[key, reading.index] = making
        # Who asked first may go away; the others still get it.
        return await asyncio.shield(making), False

    async def _make(self, key: Key, reading: Reading, value: Any, *, pretty: bool) -> bytes:
        try:
            body = await encoded(value, pretty=pretty)
        finally:
            del self._made[key, reading.index]
        self._keep(key, reading, body)
        return body

    def _keep(self, key: Key, reading: Reading, body: bytes) -> None:
        if reading.status != 200 or len(body) > LARGEST_KEPT:
            return
        before = self._bodies.pop(key, None)
        if before is not None and before[0] > reading.index:
            self._bodies[key] = before
            return
        self._kept += len(body) + _ENTRY - (len(before[1]) + _ENTRY if before is not None else 0)
        self._bodies[key] = (reading.index, body)
        while self._kept > MOST_KEPT:
            _, (_, oldest) = self._bodies.popitem(last=False)
            self._kept -= len(oldest) + _ENTRY


def _key(question: Question) -> Key:
    """What decides the body: the path and those options that are not about when it is said, and to whom."""
    request = question.request
    chosen = (part for pair in request.query.items() if pair[0] not in _NOT_THE_BODY for part in pair)
    return (request.path, *chosen)


def _consistency(question: Question) -> str:
    if question.consistent:
        return "consistent"
    return "stale" if question.stale else "leader"
