"""Where documents and services come from, in the order in which they begin: what proxies wait for comes first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from sampan.daemon.faults import caught
from sampan.daemon.pipeline import Pipeline
from sampan.sources.source import Emit, Records, Source, SourceHealth

# For a registry that starts together with us, or a Consul that answers at all.
PATIENCE_SECONDS = 2.0
AGAIN_SECONDS = 5.0


class Sources:
    """`files` always; `add` those of a registry, if one was chosen."""

    def __init__(self, pipeline: Pipeline, files: Source) -> None:
        self._pipeline, self._files = pipeline, files
        self._remote: list[Source] = []
        self._expected = False
        self._started = False

    def add(self, source: Source, *, expected: bool) -> None:
        """`expected`: it had something the last time."""
        self._remote.append(source)
        self._expected |= expected

    async def begin(self, group: asyncio.TaskGroup) -> None:
        """Until it is known which proxies are wanted, and they start. Where proxies run already, or a registry had
        something the last time, everything is waited for: nothing that serves is to go for a moment."""
        pipeline = self._pipeline
        group.create_task(self._files.run(pipeline.take))
        await pipeline.fleet.look()
        waited = [self._files]
        if self._expected or pipeline.fleet.running:
            self._start(group)
            waited += self._remote
        await pipeline.begin(waited)
        if pipeline.world.lacks:
            self._start(group)

    async def complete(self, group: asyncio.TaskGroup, first_taken: Callable[[], Awaitable[None]]) -> None:
        """Before the first publication. It waits for a registry only if documents speak of what may be there; otherwise
        what speaks HTTP is loaded after the proxies have it all (`first_taken`), not while they wait for it."""
        if self._started:
            await self._pipeline.settle(self._remote, PATIENCE_SECONDS)
        else:
            group.create_task(self._start_after(group, first_taken))

    async def _start_after(self, group: asyncio.TaskGroup, first_taken: Callable[[], Awaitable[None]]) -> None:
        await first_taken()
        self._start(group)

    def _start(self, group: asyncio.TaskGroup) -> None:
        if not self._started:
            self._started = True
            for source in self._remote:
                group.create_task(guarded(source, self._pipeline.take))


async def guarded(source: Source, emit: Emit, seconds: float = AGAIN_SECONDS) -> None:
    """Runs it, and again after a bug of ours: what it said before stays, and all else goes on."""
    while True:
        try:
            await source.run(emit)
            return
        except Exception as error:
            said = caught(f"reading {source.name}", error)
            emit(Records(source.name, health=SourceHealth(False, (said,))))
            await asyncio.sleep(seconds)
