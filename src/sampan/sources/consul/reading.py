"""The source at work: who is watched how, and what becomes of the answers."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sampan.consul.client import Client
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
from sampan.sources.consul.states import Affected
from sampan.sources.consul.sweep import Sweep

_PROMOTE_AFTER = 0.25
_AGAIN = 5.0
_SUSPICIOUS_AFTER = 1.0
_RELAX_AFTER = 60.0


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
    """One run of the source. The services' own blocking queries go over `crowd`, everything else over `client`, whose
    connections nobody takes away: where the server takes no more, those that know of everything have theirs. `used` are
    the names that documents refer to."""

    def __init__(
        self,
        client: Client,
        crowd: Client,
        options: Options,
        books: Books,
        outlet: Outlet,
        now: Callable[[], str],
        used: frozenset[str] = frozenset(),
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._client, self._crowd, self._options, self.books, self._outlet = client, crowd, options, books, outlet
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
        self._suspecting: asyncio.TimerHandle | None = None
        self._cut: set[Key] = set()
        self._timers: list[asyncio.TimerHandle] = []
        self._in_use: set[Key] = set()
        self._most = budget.MOST
        self.crowded = asyncio.Event()
        self.sweep = Sweep(client, self._query, self._swept, self._failed, books.indexes, self._cold, sleep)
        self.followers: Followers

    async def run(self) -> None:
        places = ("", *self._options.datacenters)
        try:
            async with asyncio.TaskGroup() as group:
                self.followers = Followers(
                    group, self._crowd, self._query, self._followed, self._failed, self.books.indexes
                )
                group.create_task(self.sweep.run())
                for name in places:
                    place = Datacenter(name, self._client, self._query(name), self, self._sleep)
                    group.create_task(place.run())
                group.create_task(self._begin())
        finally:
            for handle in (self._assigning, *self._timers):
                if handle is not None:
                    handle.cancel()

    def use(self, names: frozenset[str]) -> None:
        if names != self._used:
            self._used = names
            self._in_use = set()
            self._note_used(self.books.keys)
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
        asked = self._client.target.datacenter or found.datacenter
        self.books.locate(asked, found.node if asked == found.datacenter else "")
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        most = self._options.most_connections
        allowed = budget.connections(found.limit, min(descriptors, 2 * most), self._client.connections)
        self._crowd.allow(allowed)
        self._most = budget.MOST

    def listed(self, datacenter: str, names: frozenset[str], restarted: float | None, hiding: bool) -> None:
        self._away.pop(datacenter, None)
        (self._hiding.add if hiding else self._hiding.discard)(datacenter)
        if restarted is not None and datacenter in self._listed:
            self.books.start_over(datacenter)
            self.followers.restart(datacenter, restarted)
        added, gone = self.books.list(datacenter, names)
        self._in_use -= gone
        self._note_used(added)
        # What came back while its query still ran may have been answered before it was listed.
        self.sweep.ask([key for key in sorted(added) if key in self.followers], urgent=True)
        for key in gone:
            self._failing.pop(key, None)
            self.followers.drop(key)
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
            if not followed and key in self.books.changed and self._promoting is None:
                self._promoting = self._later(_PROMOTE_AFTER, self._promote)
        if self._failing.pop(key, None) is not None:
            self._tell()
        self._look_whether_complete()

    def _failed(self, key: Key, error: ConsulError) -> None:
        if key not in self.books.keys:
            return
        refused = isinstance(error, RefusedError) and error.limited and "connections" in error.text
        if refused or isinstance(error, UnreachableError):
            # The catalogue tells of an outage; without one these are connections that are too many, which Consul closes
            # with a word or without.
            self._cut.add(key)
            if self._suspecting is None:
                self._suspecting = self._later(0.0 if refused else _SUSPICIOUS_AFTER, self._suspect)
        if isinstance(error, UnreachableError):
            return
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

    def _suspect(self) -> None:
        """Others of this machine need connections too: what is refused is given up for a while."""
        self._suspecting = None
        cut, self._cut = self._cut & self.followers.out, set()
        cut = {key for key in cut if key.datacenter not in self._away}
        if cut:
            self._most = max(1, len(self.followers) - len(cut))
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
        room = min(self._crowd.watches, self._most)
        held = self.followers.keys - self.followers.out
        hot = budget.chosen(keys, room, self._in_use, self.books.changed, held)
        self.followers.follow(hot, room)
        if len(hot) < len(keys):
            self.crowded.set()
            due = (self.books.unread | self._failing.keys()) & keys
            self.sweep.ask([key for key in sorted(due) if key not in self.followers], urgent=True)
        self._look_whether_complete()

    def _cold(self) -> list[Key]:
        """Those that documents refer to first, then those that changed last."""
        return budget.ranked(
            [key for key in self.books.keys if key not in self.followers], self._in_use, self.books.changed
        )

    def _note_used(self, keys: Iterable[Key]) -> None:
        source = self.books.setting.source
        self._in_use |= {key for key in keys if not self._used.isdisjoint(names_of(key, source))}

    def _query(self, datacenter: str) -> Query:
        query = {"dc": datacenter} if datacenter else {}
        return query | ({"stale": ""} if self._options.stale else {})
