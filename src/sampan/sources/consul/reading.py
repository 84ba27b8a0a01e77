"""The source at work: what becomes of the answers, and of there being none."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable
from dataclasses import dataclass

from sampan.consul.client import Client
from sampan.consul.errors import ConsulError, GarbageError, RefusedError, UnreachableError
from sampan.consul.outage import Sleep
from sampan.consul.wire import Answer, Query
from sampan.sources.consul import budget, notices
from sampan.sources.consul.attention import Attention
from sampan.sources.consul.books import Books
from sampan.sources.consul.convert import Key
from sampan.sources.consul.datacenter import Datacenter
from sampan.sources.consul.facts import Facts
from sampan.sources.consul.notices import Trouble
from sampan.sources.consul.outlet import Outlet
from sampan.sources.consul.states import Affected

_AGAIN = 5.0


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
    """One run of the source: `crowd` is for the services' own blocking queries, `client` for everything else. `used`
    are the names that documents refer to."""

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
        self._client, self._crowd, self._options, self._books, self._outlet = client, crowd, options, books, outlet
        self._now, self._used, self._sleep = now, used, sleep
        self._troubles: dict[str, Trouble] = {}
        self._hiding: set[str] = set()
        self._settled: set[str] = set()
        self._listed: set[str] = set()
        self._complete = asyncio.Event()
        self._attention: Attention | None = None

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                self._attention = Attention(
                    group,
                    self._client,
                    self._crowd,
                    self._query,
                    self._books,
                    self._answered,
                    self._failed,
                    self._sleep,
                )
                self.use(self._used)
                group.create_task(self.attention.sweep.run())
                for name in ("", *self._options.datacenters):
                    place = Datacenter(name, self._client, self._query(name), self, self._sleep)
                    group.create_task(place.run())
                group.create_task(self._begin())
        finally:
            if self._attention is not None:
                self._attention.close()

    @property
    def attention(self) -> Attention:
        assert self._attention is not None, "not running yet"
        return self._attention

    def use(self, names: frozenset[str]) -> None:
        self._used = names
        if self._attention is not None:
            self._attention.use(names)

    def followed(self) -> frozenset[str]:
        return frozenset(key.text for key in self._attention.followers.keys) if self._attention else frozenset()

    async def _begin(self) -> None:
        """The first records: what is kept went out already; without it the first answers are waited for, a while."""
        if self._outlet.began:
            return
        try:
            async with asyncio.timeout(self._options.patience):
                await self._complete.wait()
        except TimeoutError:
            if "" not in self._listed and "" not in self._troubles:
                self.away("", UnreachableError("no answer yet"))
        self._outlet.begin(self._books.items.values())

    # ---- what a datacentre tells

    @property
    def crowded(self) -> asyncio.Event:
        return self.attention.crowded

    def learnt(self, found: Facts) -> None:
        asked = self._client.target.datacenter or found.datacenter
        self._books.locate(asked, found.node if asked == found.datacenter else "")
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        most = self._options.most_connections
        self.attention.allow(budget.connections(found.limit, min(descriptors, 2 * most), self._client.connections))

    def listed(self, datacenter: str, names: frozenset[str], restarted: float | None, hiding: bool) -> None:
        self._books.away.discard(datacenter)
        self._troubles.pop(datacenter, None)
        (self._hiding.add if hiding else self._hiding.discard)(datacenter)
        if restarted is not None and datacenter in self._listed:
            self._books.start_over(datacenter)
            self.attention.followers.restart(datacenter, restarted)
        added, gone = self._books.list(datacenter, names)
        for key in gone:
            self._outlet.put(key, None)
        self._listed.add(datacenter)
        self._settled.add(datacenter)
        self.attention.listed(added, gone)
        self._tell()

    def away(self, datacenter: str, error: ConsulError) -> None:
        self._books.away.add(datacenter)
        since = self._troubles[datacenter].since if datacenter in self._troubles else self._now()
        self._troubles[datacenter] = Trouble(since, error)
        if datacenter:
            self._settled.add(datacenter)
        self._tell()

    def affected(self, datacenter: str, what: Affected, first: bool) -> None:
        self.attention.affected(datacenter, what, first)

    # ---- answers about services

    def _answered(self, key: Key, answer: Answer, followed: bool) -> None:
        try:
            changed = self._books.take(key, answer, followed)
        except GarbageError as error:
            self._failed(key, error)
            asyncio.get_running_loop().call_later(_AGAIN, self.attention.sweep.ask, (key,))
            return
        if changed:
            self._outlet.put(key, self._books.items[key])
            self.attention.changed(key)
        if self._books.failing.pop(key, None) is not None:
            self._tell()
        self._look_whether_complete()

    def _failed(self, key: Key, error: ConsulError) -> None:
        if key not in self._books.keys:
            return
        refused = isinstance(error, RefusedError) and error.limited and "connections" in error.text
        if refused or isinstance(error, UnreachableError):
            self.attention.cut(key, refused)
        if isinstance(error, UnreachableError):
            return
        since = self._books.failing[key].since if key in self._books.failing else self._now()
        self._books.failing[key] = Trouble(since, error)
        self._tell()
        self._look_whether_complete()

    def _look_whether_complete(self) -> None:
        places = {"", *self._options.datacenters}
        if "" in self._listed and places <= self._settled and self._books.unread <= self._books.failing.keys():
            self._complete.set()

    def _tell(self) -> None:
        source, address = self._books.setting.source, self._client.target.address
        self._outlet.tell(notices.health(source, address, self._troubles, self._books.failing, self._hiding))
        self._look_whether_complete()

    def _query(self, datacenter: str) -> Query:
        query = {"dc": datacenter} if datacenter else {}
        return query | ({"stale": ""} if self._options.stale else {})
