"""A blocking query for each of the services that have one.

A query that we give up goes on in Consul until its wait is over or the service changes: it does not look whether
anybody is there to hear (agent/consul/rpc.go), and the connection counts as one of ours for so long. So do those of a
control plane that was here before.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Mapping
from contextlib import aclosing

from sampan.consul.client import Away, Client
from sampan.consul.errors import ConsulError, UnreachableError
from sampan.consul.wire import Answer, Query, path
from sampan.sources.consul.convert import Key

# Five answers a second for the 150 queries that Consul takes by itself; a longer wait would make ones that were given
# up linger. For a server that takes thousands, twenty a second.
SHORTEST_WAIT, LONGEST_WAIT = 30.0, 240.0
_PER_SECOND = 20.0


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
        self._cut: set[Key] = set()
        self._heard: dict[Key, float] = {}
        self._given_up: deque[float] = deque()
        self._wait = SHORTEST_WAIT

    def __contains__(self, key: Key) -> bool:
        return key in self._tasks

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def keys(self) -> Collection[Key]:
        return self._tasks.keys()

    @property
    def connected(self) -> Collection[Key]:
        """Those that have a connection, as far as is known."""
        return self._tasks.keys() - self._cut

    def lingering(self) -> int:
        """How many that were given up the server may have still."""
        now = asyncio.get_running_loop().time()
        while self._given_up and self._given_up[0] <= now:
            self._given_up.popleft()
        return len(self._given_up)

    def follow(self, keys: frozenset[Key], indexes: Mapping[Key, int]) -> None:
        """These and no others. One that is new goes on from its index."""
        until = asyncio.get_running_loop().time() + self._wait * 17 / 16
        self._wait = min(max(SHORTEST_WAIT, len(keys) / _PER_SECOND), LONGEST_WAIT)
        for key in self._tasks.keys() - keys:
            self._tasks.pop(key).cancel()
            if key not in self._cut:
                self._given_up.append(until)
            self._out.discard(key)
            self._cut.discard(key)
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
        async with aclosing(self._client.watch(url, query, self._wait, index)) as events:
            async for event in events:
                if isinstance(event, Away):
                    self._out.add(key)
                    (self._cut.add if isinstance(event.error, UnreachableError) else self._cut.discard)(key)
                    self._failed(key, event.error)
                else:
                    self._out.discard(key)
                    self._cut.discard(key)
                    self._heard[key] = clock()
                    self._answered(key, event)
