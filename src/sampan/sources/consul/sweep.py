"""Reads services that have no blocking query of their own: all when a catalogue moved, some at once when their health
did."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping

from sampan.consul.client import Client
from sampan.consul.errors import ConsulError
from sampan.consul.outage import Sleep, pause
from sampan.consul.wire import Answer, Query, path
from sampan.sources.consul.convert import Key

WORKERS = 6
"""Fewer than the connections that are not for blocking queries: what else there is to ask passes by."""
PAUSE = 0.5
REST = 1.0
"""After a round it rests for that many times as long as the round took: a fleet in which something registers all the
time keeps these connections busy half of the time."""
CATCH_UP = 0.5
"""Seconds to wait for a server that lags behind the one which told of a change."""


class Sweep:
    def __init__(
        self,
        client: Client,
        query: Callable[[str], Query],
        answered: Callable[[Key, Answer], None],
        failed: Callable[[Key, ConsulError], None],
        indexes: Mapping[Key, int],
        cold: Callable[[], Collection[Key]],
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._client, self._query, self._answered, self._failed = client, query, answered, failed
        self._indexes, self._cold, self._sleep = indexes, cold, sleep
        self._urgent: dict[Key, bool] = {}
        self._others: dict[Key, None] = {}
        self._busy = 0
        self._wake, self._idle, self._moved = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def ask(self, keys: Iterable[Key], urgent: bool = False, changed: bool = False) -> None:
        """Each is read once more after now, urgent ones first. `changed`: they are known to have changed."""
        for key in keys:
            if urgent:
                self._others.pop(key, None)
                self._urgent[key] = changed
            elif key not in self._urgent:
                self._others[key] = None
        if self._urgent or self._others:
            self._wake.set()

    def moved(self) -> None:
        """Something was registered, deregistered or altered somewhere: a round over all is due."""
        self._moved.set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._rounds())
            for _ in range(WORKERS):
                group.create_task(self._work())

    async def _rounds(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await self._moved.wait()
            self._moved.clear()
            began = clock()
            self._idle.clear()
            self.ask(self._cold())
            if self._others or self._busy:
                await self._idle.wait()
            await self._sleep(max(PAUSE, REST * (clock() - began)))

    async def _work(self) -> None:
        failures = 0
        while True:
            while not self._urgent and not self._others:
                self._wake.clear()
                await self._wake.wait()
            key = next(iter(self._urgent or self._others))
            changed = self._urgent.pop(key, False)
            self._others.pop(key, None)
            self._busy += 1
            try:
                failures = 0 if await self._read(key, changed) else failures + 1
            finally:
                self._busy -= 1
                if not self._others and not self._busy:
                    self._idle.set()
            if failures:
                await self._sleep(pause(failures))

    async def _read(self, key: Key, changed: bool) -> bool:
        url, query = path("health", "service", key.name), self._query(key.datacenter)
        index = self._indexes.get(key, 0) if changed else 0
        try:
            answer = await self._client.get(url, query, index, CATCH_UP)
        except ConsulError as error:
            self._failed(key, error)
            self.ask((key,))
            return False
        self._answered(key, answer)
        return True
