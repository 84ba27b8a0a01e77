"""One datacentre: its catalogue, and where there are more services than connections its unhealthy checks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing, suppress
from typing import Protocol

from sampan.consul.client import Away, Client
from sampan.consul.errors import ConsulError, GarbageError
from sampan.consul.outage import Sleep, pause
from sampan.consul.wire import FILTERED, Answer, Query, path
from sampan.sources.consul import facts
from sampan.sources.consul.facts import Facts
from sampan.sources.consul.notices import HiddenError
from sampan.sources.consul.states import STATES, Affected, CheckKey, affected, checks

# A server that vanishes without a word (its machine, a cable) is noticed when this is over, and a timeout with it; the
# services' own queries are begun anew then.
WAIT = 15.0
WAIT_FOR_STATES = 60.0
# Catalogues of go-micro's services are megabytes (each tag of each version): reading one is to take a fifth of the time
# at most, however often it changes.
_REST = 4.0
_FREE = 0.01
_LAST_PAUSE = 2.0


class Hearer(Protocol):
    """Who is told. `datacenter` is "" for the one that is asked."""

    @property
    def crowded(self) -> asyncio.Event:
        """Set once there are more services than connections."""
        ...

    def learnt(self, found: Facts) -> None: ...

    def listed(self, datacenter: str, names: frozenset[str], restarted: float | None, hiding: bool) -> None:
        """`restarted`: since when the server may have been another (the event loop's time), None if it is the same."""
        ...

    def away(self, datacenter: str, error: ConsulError) -> None: ...

    def affected(self, datacenter: str, what: Affected, first: bool) -> None: ...


class Datacenter:
    def __init__(self, name: str, client: Client, query: Query, hearer: Hearer, sleep: Sleep = asyncio.sleep) -> None:
        self.name = name
        self._client, self._query, self._hearer, self._sleep = client, query, hearer, sleep
        self._names: frozenset[str] = frozenset()
        self._index = 0
        self._clock = asyncio.get_running_loop().time
        self._since: float | None = None
        """When it went away, if it is."""

    async def run(self) -> None:
        if not self.name:
            await self._learn()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._catalogue())
            for state in STATES:
                group.create_task(self._states(state))

    async def _learn(self) -> None:
        failures = 0
        while True:
            try:
                self._hearer.learnt(await facts.ask(self._client))
                return
            except ConsulError as error:
                self._hearer.away(self.name, error)
                failures += 1
                await self._sleep(pause(failures, last=_LAST_PAUSE))

    async def _catalogue(self) -> None:
        while True:
            async with aclosing(self._client.watch(path("catalog", "services"), self._query, WAIT)) as events:
                async for event in events:
                    if isinstance(event, Away):
                        self._note_away(event.error)
                    elif not await self._take(event):
                        break
            # Rights that come back move no index: it is read from the beginning.
            await self._sleep(_LAST_PAUSE)

    def _note_away(self, error: ConsulError) -> None:
        if self._since is None:
            self._since = self._clock()
        self._hearer.away(self.name, error)

    async def _take(self, answer: Answer) -> bool:
        """False if it is not to be believed."""
        began = self._clock()
        try:
            names = self._read(answer)
        except ConsulError as error:
            self._note_away(error)
            return False
        if self._since is not None and not self.name:
            with suppress(ConsulError):
                self._hearer.learnt(await facts.ask(self._client))
        elif answer.index < self._index:
            self._since = began
        self._hearer.listed(self.name, names, self._since, answer.headers.get(FILTERED) == "true")
        self._index, self._since, self._names = answer.index, None, names
        if (spent := self._clock() - began) > _FREE:
            await self._sleep(_REST * spent)
        return True

    def _read(self, answer: Answer) -> frozenset[str]:
        if not isinstance(answer.body, Mapping):
            raise GarbageError("the catalogue is no list of services")
        names = frozenset(map(str, answer.body))
        # Access rules do not refuse, they hide. Consul's own services cannot be gone while Consul answers.
        if not names and ("consul" in self._names or (self._names and answer.headers.get(FILTERED) == "true")):
            raise HiddenError
        return names

    async def _states(self, state: str) -> None:
        await self._hearer.crowded.wait()
        before: dict[CheckKey, str] = {}
        first = True
        async with aclosing(self._client.watch(path("health", "state", state), self._query, WAIT_FOR_STATES)) as events:
            async for event in events:
                # That it is away, or answers nonsense, the catalogue finds out too.
                if isinstance(event, Away):
                    continue
                try:
                    now = checks(event.body)
                except GarbageError:
                    continue
                self._hearer.affected(self.name, affected(before, now), first)
                before, first = now, False
