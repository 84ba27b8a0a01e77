"""The source at work: who is watched how, and what becomes of the answers."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable, Collection
from dataclasses import dataclass

from sampan.consul.client import RESERVED, Client
from sampan.consul.errors import ConsulError, GarbageError, RefusedError, UnreachableError
from sampan.consul.outage import Sleep
from sampan.consul.wire import Answer, Query
from sampan.sources.consul import budget, notices
from sampan.sources.consul.books import Books, names_of
from sampan.sources.consul.convert import Key
from sampan.sources.consul.datacenter import Datacenter
from sampan.sources.consul.facts import Facts
from sampan.sources.consul.followers import Followers
from sampan.sources.consul.notices import Trouble
from sampan.sources.consul.outlet import Outlet
from sampan.sources.consul.states import STATES, Affected
from sampan.sources.consul.sweep import Sweep

_PROMOTE_AFTER = 0.25
_AGAIN = 5.0
_SHRINK_EVERY = 0.25
_RELAX_AFTER = 60.0
_REFUSED_AFTER = 1.0


@dataclass(frozen=True, slots=True)
class Options:
    """`datacenters`: further ones to read. `patience`: seconds that a start without anything kept waits for the first
    answer. `stale`: any server may answer, not the leader alone."""

    datacenters: tuple[str, ...] = ()
    patience: float = 5.0
    stale: bool = True
    most_connections: int = budget.MOST


DEFAULTS = Options()


class Reading:
    """One run of the source. `used` are the names that documents refer to."""

    def __init__(
        self,
        client: Client,
        options: Options,
        books: Books,
        outlet: Outlet,
        now: Callable[[], str],
        used: Collection[str] = frozenset(),
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._client, self._options, self.books, self._outlet = client, options, books, outlet
        self._now, self._used, self._sleep = now, used, sleep
        self._loop = asyncio.get_running_loop()
        self._away: dict[str, Trouble] = {}
        self._failing: dict[Key, Trouble] = {}
        self._hiding: set[str] = set()
        self._settled: set[str] = set()
        self._listed: set[str] = set()
        self._complete = asyncio.Event()
        self._assigning: asyncio.Handle | None = None
        self._promoting: asyncio.TimerHandle | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._most = budget.MOST
        self._shrunk = -_SHRINK_EVERY
        self._well_since = 0.0
        self._swapping: asyncio.TimerHandle | None = None
        self._wondering: asyncio.TimerHandle | None = None
        self.crowded = asyncio.Event()
        self.sweep = Sweep(client, self._query, self._swept, self._failed, books.indexes, self._cold, sleep)
        self.followers: Followers

    async def run(self) -> None:
        places = ("", *self._options.datacenters)
        try:
            async with asyncio.TaskGroup() as group:
                self.followers = Followers(group, self._client, self._query, self._followed, self._failed)
                group.create_task(self.sweep.run())
                for name in places:
                    place = Datacenter(name, self._client, self._query(name), self, self._sleep)
                    group.create_task(place.run())
                group.create_task(self._begin())
        finally:
            for handle in (self._assigning, *self._timers):
                if handle is not None:
                    handle.cancel()

    def use(self, names: Collection[str]) -> None:
        self._used = names
        self._assign_soon()

    async def _begin(self) -> None:
        """The first records: what is kept went out already; without it the first answers are waited for, a while."""
        if self._outlet.began:
            return
        try:
            async with asyncio.timeout(self._options.patience):
                await self._complete.wait()
        except TimeoutError:
            if "" not in self._listed and "" not in self._away:
                self.away("", UnreachableError("no answer yet"))
        self._outlet.begin(self.books.items.values())

    # ---- what a datacentre tells

    def learnt(self, found: Facts) -> None:
        if not self._client.target.datacenter:
            self.books.locate(found.datacenter)
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        allowed = budget.connections(found.limit, descriptors, RESERVED)
        self._client.allow(min(allowed, self._options.most_connections))
        self._most = budget.MOST

    def listed(self, datacenter: str, names: frozenset[str], restarted: float | None, hiding: bool) -> None:
        if self._away.pop(datacenter, None) is not None:
            self._well_since = self._loop.time()
        (self._hiding.add if hiding else self._hiding.discard)(datacenter)
        if restarted is not None and datacenter in self._listed:
            self.books.start_over(datacenter)
            self.followers.restart(datacenter, restarted)
        _, gone = self.books.list(datacenter, names)
        for key in gone:
            self._failing.pop(key, None)
            self._outlet.put(key, None)
        self._listed.add(datacenter)
        self._settled.add(datacenter)
        self._assign_soon()
        self.sweep.moved()
        self._tell()

    def away(self, datacenter: str, error: ConsulError) -> None:
        since = self._away[datacenter].since if datacenter in self._away else self._now()
        self._away[datacenter] = Trouble(since, error)
        if datacenter:
            self._settled.add(datacenter)
        self._tell()

    def affected(self, datacenter: str, what: Affected, first: bool) -> None:
        keys = self.books.affected(datacenter, what)
        if first:
            keys |= self.books.unhealthy(datacenter)
        cold = [key for key in sorted(keys) if key not in self.followers]
        self.sweep.ask(cold, urgent=True, changed=not first)

    # ---- answers about services

    def _followed(self, key: Key, answer: Answer) -> None:
        self._answered(key, answer, True)

    def _swept(self, key: Key, answer: Answer) -> None:
        self._answered(key, answer, False)

    def _answered(self, key: Key, answer: Answer, followed: bool) -> None:
        try:
            changed = self.books.take(key, answer, followed)
        except GarbageError as error:
            self._failed(key, error)
            self._later(_AGAIN, lambda: self.sweep.ask((key,)))
            return
        if changed:
            self._outlet.put(key, self.books.items[key])
            if not followed and self._promoting is None:
                self._promoting = self._later(_PROMOTE_AFTER, self._promote)
        if self._failing.pop(key, None) is not None:
            self._tell()
        self._look_whether_complete()

    def _failed(self, key: Key, error: ConsulError) -> None:
        if key not in self.books.keys:
            return
        if isinstance(error, UnreachableError):
            # The catalogue tells of it, unless it is this connection alone.
            if self._wondering is None:
                self._wondering = self._later(_REFUSED_AFTER, self._wonder)
            return
        if isinstance(error, RefusedError) and error.limited and "connections" in error.text:
            self._give_back(len(self.followers) * 7 // 8)
        since = self._failing[key].since if key in self._failing else self._now()
        self._failing[key] = Trouble(since, error)
        self._tell()
        self._look_whether_complete()

    def _look_whether_complete(self) -> None:
        places = {"", *self._options.datacenters}
        if "" in self._listed and places <= self._settled and self.books.unread <= self._failing.keys():
            self._complete.set()

    def _tell(self) -> None:
        source, address = self.books.setting.source, self._client.target.address
        self._outlet.tell(notices.health(source, address, self._away, self._failing, self._hiding))

    # ---- who is watched how

    def _promote(self) -> None:
        self._promoting = None
        self._assign_soon()

    def _swap(self) -> None:
        self._swapping = None
        self._assign_soon()

    def _wonder(self) -> None:
        """Consul up to 1.8 refuses a connection too many by closing it, without a word."""
        self._wondering = None
        connected = len(self.followers.connected)
        if connected == len(self.followers):
            return
        if not self._away and self._loop.time() >= self._well_since + 2 * _REFUSED_AFTER:
            self._give_back(connected)
        self._wondering = self._later(_REFUSED_AFTER, self._wonder)

    def _give_back(self, most: int) -> None:
        """Others of this machine need connections too: with fewer of ours everybody is served."""
        now = self._loop.time()
        if now < self._shrunk + _SHRINK_EVERY:
            return
        self._shrunk = now
        self._most = max(1, most)
        self._assign_soon()
        self._later(_RELAX_AFTER, self._relax)

    def _relax(self) -> None:
        self._most = min(budget.MOST, self._most * 8 // 7 + 1)
        self._assign_soon()

    def _later(self, seconds: float, what: Callable[[], None]) -> asyncio.TimerHandle:
        self._timers = [timer for timer in self._timers if timer.when() > self._loop.time() and not timer.cancelled()]
        self._timers.append(self._loop.call_later(seconds, what))
        return self._timers[-1]

    def _assign_soon(self) -> None:
        if self._assigning is None:
            self._assigning = self._loop.call_soon(self._assign)

    def _assign(self) -> None:
        self._assigning = None
        keys = self.books.keys
        places = 1 + len(self._options.datacenters)
        room = min(self._client.watches - places * (1 + len(STATES)), self._most)
        followed, swaps = budget.shared(len(keys), room, self.followers.lingering())
        hot = budget.chosen(keys, followed, self._in_use, self.books.changed, self.followers.connected, swaps)
        self.followers.follow(hot, self.books.indexes)
        if len(hot) < len(keys):
            self.crowded.set()
            if self._swapping is None and self.followers.lingering():
                self._swapping = self._later(_AGAIN, self._swap)
            self.sweep.ask(sorted(((self.books.unread | self._failing.keys()) & keys) - hot), urgent=True)
        self._look_whether_complete()

    def _cold(self) -> list[Key]:
        """Those that documents refer to first, then those that changed last."""
        return budget.ranked(
            [key for key in self.books.keys if key not in self.followers], self._in_use, self.books.changed
        )

    def _in_use(self, key: Key) -> bool:
        return any(name in self._used for name in names_of(key, self.books.setting.source))

    def _query(self, datacenter: str) -> Query:
        query = {"dc": datacenter} if datacenter else {}
        return query | ({"stale": ""} if self._options.stale else {})
