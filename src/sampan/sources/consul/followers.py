"""A blocking query for each of the services that have one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import aclosing

from sampan.consul.client import Away, Client
from sampan.consul.errors import ConsulError
from sampan.consul.wire import Answer, Query, path
from sampan.sources.consul.convert import Key

# Nothing is lost by waiting long: a connection that is dead is found out by the watch of the catalogue.
WAIT = 300.0


class Followers:
    """`group` runs them. Answers and failures go to the two callbacks."""

    def __init__(
        self,
        group: asyncio.TaskGroup,
        client: Client,
        query: Callable[[str], Query],
        answered: Callable[[Key, Answer], None],
        failed: Callable[[Key, ConsulError], None],
    ) -> None:
        self._group, self._client, self._query = group, client, query
        self._answered, self._failed = answered, failed
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._out: set[Key] = set()
        self._heard: dict[Key, float] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._tasks

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def keys(self) -> Collection[Key]:
        return self._tasks.keys()

    def follow(self, keys: frozenset[Key], indexes: Mapping[Key, int]) -> None:
        """These and no others. One that is new goes on from its index."""
        for key in self._tasks.keys() - keys:
            self._tasks.pop(key).cancel()
            self._out.discard(key)
            self._heard.pop(key, None)
        for key in sorted(keys - self._tasks.keys()):
            self._tasks[key] = self._group.create_task(self._one(key, indexes.get(key, 0)))

    def restart(self, datacenter: str, since: float) -> None:
        """The server is another than before `since`. Those that found out themselves start over by themselves; others
        hang on a connection that nobody serves, or wait for an index of the past."""
        for key in list(self._tasks):
            if key.datacenter == datacenter and key not in self._out and self._heard.get(key, since) <= since:
                self._tasks[key].cancel()
                self._tasks[key] = self._group.create_task(self._one(key, 0))

    async def _one(self, key: Key, index: int) -> None:
        clock = asyncio.get_running_loop().time
        query = self._query(key.datacenter)
        url = path("health", "service", key.name)
        async with aclosing(self._client.watch(url, query, WAIT, index)) as events:
            async for event in events:
                if isinstance(event, Away):
                    self._out.add(key)
                    self._failed(key, event.error)
                else:
                    self._out.discard(key)
                    self._heard[key] = clock()
                    self._answered(key, event)
