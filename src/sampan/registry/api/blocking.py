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

from sampan.registry.api.answer import JSON_TYPE, encode, read_headers
from sampan.registry.api.question import Question
from sampan.registry.tables import Tables, Topic

MOST_BODIES = 512
LARGEST_KEPT = 1 << 20


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


View = Callable[[], Reading]


class Reads:
    """Answers views over the tables."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._bodies: OrderedDict[str, tuple[int, bytes]] = OrderedDict()

    async def answer(self, question: Question, view: View) -> web.Response:
        """Waits if the client knows the index already; then the view as it is."""
        reading = view()
        if question.index and reading.index <= question.index:
            reading = await self._later(question, view, reading)
        headers = {**read_headers(reading.index, stale=question.stale), **reading.headers}
        body = self._body(question, reading)
        return web.Response(
            status=reading.status, body=body, headers=headers, content_type=reading.content_type or None
        )

    async def _later(self, question: Question, view: View, reading: Reading) -> Reading:
        loop = asyncio.get_running_loop()
        end = loop.time() + question.wait
        while reading.index <= question.index:
            left = end - loop.time()
            if left <= 0 or not await self._tables.changed(reading.topics, left):
                return view()
            reading = view()
        return reading

    def _body(self, question: Question, reading: Reading) -> bytes:
        key = _key(question)
        kept = self._bodies.get(key)
        if kept is not None and kept[0] == reading.index and reading.status == 200:
            self._bodies.move_to_end(key)
            return kept[1]
        value = reading.body()
        body = value if isinstance(value, bytes) else encode(value, pretty=question.pretty)
        if reading.status == 200 and len(body) <= LARGEST_KEPT:
            self._bodies[key] = (reading.index, body)
            if len(self._bodies) > MOST_BODIES:
                self._bodies.popitem(last=False)
        return body


def _key(question: Question) -> str:
    """The path and what else decides the body."""
    query = question.request.query
    return (
        str(question.request.path)
        + "?"
        + "&".join(f"{name}={value}" for name, value in query.items() if name not in ("index", "wait", "token"))
    )
