"""A blocking query for each of the services that have one.

Consul goes on with a blocking query whose connection is closed, and counts the connection until the query's time is
over (seen in 1.8, whose limit then refuses the next ones). So few are given up while they wait: who is to leave does so
when its query ends.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, KeysView, Mapping
from contextlib import aclosing

from sampan.consul.client import Away, Client
from sampan.consul.errors import ConsulError
from sampan.consul.watching import watch
from sampan.consul.wire import Answer, Query, path
from sampan.sources.consul.convert import Key

# Long enough to cost little, and no longer: queries of a process that was killed keep their connections for as long.
WAIT = 60.0
GIVEN_UP = 8
"""Queries that may be given up within that time, for what is wanted at once. The part of the limit that is left to
others bears them."""


class _LeftError(Exception):
    """Told to nobody."""


class Followers:
    """`group` runs them. Answers and failures go to the two callbacks."""

    def __init__(
        self,
        group: asyncio.TaskGroup,
        client: Client,
        query: Callable[[str], Query],
        answered: Callable[[Key, Answer], None],
        failed: Callable[[Key, ConsulError], None],
        indexes: Mapping[Key, int],
    ) -> None:
        self._group, self._client, self._query = group, client, query
        self._answered, self._failed, self._indexes = answered, failed, indexes
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._wanted: frozenset[Key] = frozenset()
        self._room = 0
        self._waiting: set[Key] = set()
        self._heard: dict[Key, float] = {}
        self._given_up: list[float] = []
        self._clock = asyncio.get_running_loop().time
        self.out: set[Key] = set()
        """Those that have no answer at the moment."""

    def __contains__(self, key: Key) -> bool:
        return key in self._tasks

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def keys(self) -> KeysView[Key]:
        return self._tasks.keys()

    def follow(self, keys: frozenset[Key], room: int) -> None:
        """These, and no others as soon as may be; never more than `room` at once."""
        self._wanted, self._room = keys, room
        leaving = self._tasks.keys() - keys
        for key in leaving - self._waiting:
            self._end(key)
        self._fill()
        for key in sorted(leaving & self._waiting):
            if not self._may_give_up():
                break
            self._end(key)
            self._fill()

    def drop(self, key: Key) -> None:
        """It is gone from its catalogue, which ends its query too."""
        self._wanted -= {key}
        if key in self._tasks and key not in self._waiting:
            self._end(key)

    def restart(self, datacenter: str, since: float) -> None:
        """The server is another than before `since`. Those that found out themselves start over by themselves; others
        hang on a connection that nobody serves, or wait for an index of the past."""
        for key in list(self._tasks):
            if key.datacenter == datacenter and key not in self.out and self._heard.get(key, since) <= since:
                self._tasks.pop(key).cancel()
                self._start(key, 0)

    def _may_give_up(self) -> bool:
        """Whether one that waits is to be ended for another that is wanted."""
        now = self._clock()
        self._given_up = [until for until in self._given_up if until > now]
        if len(self._given_up) >= GIVEN_UP or self._wanted <= self._tasks.keys():
            return False
        self._given_up.append(now + WAIT)
        return True

    def _fill(self) -> None:
        missing = self._wanted - self._tasks.keys()
        for key in sorted(missing)[: max(0, self._room - len(self._tasks))]:
            self._start(key, self._indexes.get(key, 0))

    def _start(self, key: Key, index: int) -> None:
        self._waiting.discard(key)
        self._tasks[key] = self._group.create_task(self._one(key, index))

    def _end(self, key: Key) -> None:
        self._tasks.pop(key).cancel()
        self._forget(key)

    def _forget(self, key: Key) -> None:
        self.out.discard(key)
        self._heard.pop(key, None)

    async def _one(self, key: Key, index: int) -> None:
        async def ask(asked: int) -> Answer:
            if key not in self._wanted:
                raise _LeftError
            return await self._ask(key, asked)

        try:
            async with aclosing(watch(ask, self._client.patience, WAIT / 2, index)) as events:
                async for event in events:
                    if isinstance(event, Away):
                        self.out.add(key)
                        self._failed(key, event.error)
                    else:
                        self.out.discard(key)
                        self._heard[key] = self._clock()
                        self._answered(key, event)
        except _LeftError:
            del self._tasks[key]
            self._forget(key)
            self._fill()

    async def _ask(self, key: Key, index: int) -> Answer:
        """By chance at different times, so that there is always one that ends soon and makes room."""
        wait = WAIT * (1 + random.random()) / 2
        if index:
            self._waiting.add(key)
        try:
            return await self._client.get(path("health", "service", key.name), self._query(key.datacenter), index, wait)
        finally:
            self._waiting.discard(key)
