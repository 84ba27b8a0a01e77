"""Who is watched how: by a blocking query of its own, or read in rounds and where its health changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable

from sampan.consul.client import Client
from sampan.consul.errors import ConsulError
from sampan.consul.outage import Sleep
from sampan.consul.wire import Answer, Query
from sampan.sources.consul import budget
from sampan.sources.consul.books import Books, names_of
from sampan.sources.consul.convert import Key
from sampan.sources.consul.followers import Followers
from sampan.sources.consul.states import Affected
from sampan.sources.consul.sweep import Sweep

_PROMOTE_AFTER = 0.25
_SUSPICIOUS_AFTER = 1.0
_RELAX_AFTER = 60.0

Answered = Callable[[Key, Answer, bool], None]
"""The last says whether the service has a query of its own."""


class Attention:
    """The services' own queries go over `crowd`, single reads over `client`, whose connections nobody takes away: where
    the server takes no more, those that know of everything have theirs."""

    def __init__(
        self,
        group: asyncio.TaskGroup,
        client: Client,
        crowd: Client,
        query: Callable[[str], Query],
        books: Books,
        answered: Answered,
        failed: Callable[[Key, ConsulError], None],
        sleep: Sleep,
    ) -> None:
        self._crowd, self._books = crowd, books
        self.followers = Followers(
            group, crowd, query, lambda key, answer: answered(key, answer, True), failed, books.indexes
        )
        self.sweep = Sweep(
            client, query, lambda key, answer: answered(key, answer, False), failed, books.indexes, self._cold, sleep
        )
        self.crowded = asyncio.Event()
        """There are more services than connections."""
        self._loop = asyncio.get_running_loop()
        self._most = budget.MOST
        self._used: frozenset[str] = frozenset()
        self._in_use: set[Key] = set()
        self._cut: set[Key] = set()
        self._assigning: asyncio.Handle | None = None
        self._timers: dict[Callable[[], None], asyncio.TimerHandle] = {}

    def close(self) -> None:
        for handle in (self._assigning, *self._timers.values()):
            if handle is not None:
                handle.cancel()

    def use(self, names: frozenset[str]) -> None:
        """The names that documents refer to."""
        if names != self._used:
            self._used, self._in_use = names, set()
            self._note_used(self._books.keys)
            self._assign_soon()

    def allow(self, connections: int) -> None:
        """The server takes so many."""
        self._crowd.allow(connections)
        self._most = budget.MOST

    # ---- what happens to services

    def listed(self, added: Iterable[Key], gone: set[Key]) -> None:
        """The catalogue moved."""
        self._in_use -= gone
        self._note_used(added)
        # What came back while its query still ran may have been answered before it was listed.
        self.sweep.ask([key for key in sorted(added) if key in self.followers], urgent=True)
        for key in gone:
            self.followers.drop(key)
        self._assign_soon()
        self.sweep.moved()

    def affected(self, datacenter: str, what: Affected, first: bool) -> None:
        """The health of some services changed."""
        keys = self._books.affected(datacenter, what)
        if first:
            keys |= self._books.unhealthy(datacenter)
        cold = [key for key in sorted(keys) if key not in self.followers]
        self.sweep.ask(cold, urgent=True, changed=not first)

    def changed(self, key: Key) -> None:
        """A service gave other answers than before."""
        if key not in self.followers and key in self._books.changed:
            self._once_in(_PROMOTE_AFTER, self._assign_soon)

    def cut(self, key: Key, refused: bool) -> None:
        """A service's connection broke. Where that is an outage the catalogue tells it; where not, there are too many,
        and Consul closes those beyond with a word (`refused`) or without."""
        self._cut.add(key)
        self._once_in(0.0 if refused else _SUSPICIOUS_AFTER, self._suspect)

    def read_again(self, keys: Collection[Key]) -> None:
        """Services that cannot be read: rounds try those that have no query of their own."""
        self.sweep.ask([key for key in sorted(keys) if key not in self.followers], urgent=True)

    def _suspect(self) -> None:
        """Others of this machine need connections too: what is refused is given up for a while."""
        cut, self._cut = self._cut & self.followers.out, set()
        cut = {key for key in cut if key.datacenter not in self._books.away}
        if cut:
            self._most = max(1, len(self.followers) - len(cut))
            self._assign_soon()
            self._once_in(_RELAX_AFTER, self._relax)

    def _relax(self) -> None:
        self._most = min(budget.MOST, 2 * self._most)
        self._assign_soon()
        if self._most < self._crowd.watches:
            self._once_in(_RELAX_AFTER, self._relax)

    # ---- the decision

    def _assign_soon(self) -> None:
        if self._assigning is None:
            self._assigning = self._loop.call_soon(self._assign)

    def _assign(self) -> None:
        self._assigning = None
        keys = self._books.keys
        room = min(self._crowd.watches, self._most)
        held = self.followers.keys - self.followers.out
        hot = budget.chosen(keys, room, self._in_use, self._books.changed, held)
        self.followers.follow(hot, room)
        if len(hot) < len(keys):
            self.crowded.set()
            self.read_again((self._books.unread | self._books.failing.keys()) & keys)

    def _cold(self) -> list[Key]:
        """Those that documents refer to first, then those that changed last."""
        cold = [key for key in self._books.keys if key not in self.followers]
        return budget.ranked(cold, self._in_use, self._books.changed)

    def _note_used(self, keys: Iterable[Key]) -> None:
        source = self._books.setting.source
        self._in_use |= {key for key in keys if not self._used.isdisjoint(names_of(key, source))}

    def _once_in(self, seconds: float, what: Callable[[], None]) -> None:
        """Unless it is to be done already."""
        if what not in self._timers:
            self._timers[what] = self._loop.call_later(seconds, self._do, what)

    def _do(self, what: Callable[[], None]) -> None:
        del self._timers[what]
        what()
