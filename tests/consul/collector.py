"""Runs a source beside a test, and shows what it said so far."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from sampan.documents.kinds.instance import Instance
from sampan.documents.load import Loaded
from sampan.sources.consul.watch import Consul
from sampan.sources.source import Records, SourceHealth

NOW = "2030-01-01T00:00:00Z"
DEADLINE = 30


def run(main: Coroutine[Any, Any, None], deadline: float = DEADLINE) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(deadline):
            await main

    asyncio.run(bounded())


class Said:
    """All records, and what they come to."""

    def __init__(self) -> None:
        self.records: list[Records] = []
        self.keys: dict[str, Loaded] = {}
        self.health = SourceHealth()
        self._news = asyncio.Event()

    def __call__(self, records: Records) -> None:
        self.records.append(records)
        if records.whole:
            self.keys.clear()
        self.keys |= records.changed
        for key in records.removed:
            self.keys.pop(key, None)
        self.health = records.health
        self._news.set()

    @property
    def diagnostics(self) -> list[str]:
        return [f"{item.code.id} {item.reason} | {item.hint}" for item in self.health.diagnostics]

    def instances(self, key: str) -> list[Instance]:
        return [item.spec for item in self.keys[key].objects if item.ref.kind == "Instance"] if key in self.keys else []

    def states(self, key: str) -> dict[str, str]:
        return {item.id: item.state for item in self.instances(key)}

    async def until(self, condition: Callable[[], object]) -> None:
        while not condition():
            self._news.clear()
            await self._news.wait()


@asynccontextmanager
async def reading(source: Consul) -> AsyncIterator[Said]:
    """What a source says, from its first records on."""
    said = Said()
    task = asyncio.create_task(source.run(said))
    waiting = asyncio.create_task(said.until(lambda: said.records))
    try:
        await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
        yield said
    finally:
        waiting.cancel()
        if task.done():
            task.result()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
