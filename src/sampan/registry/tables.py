"""All state of the registry: tables of rows in memory, one index for all writes, and who waits for which change.

A row is the JSON object that clients read (a TypedDict in the module of its table) and is never changed in place.
A write is whole or not at all: it changes memory as it goes, and if the disk (or a rule) refuses it, everything is put
back before anyone else runs, since all of this runs on the one event loop. Only when the disk has it, waiters wake.

A *topic* is what a blocking query waits for: any hashable. `touch` gives it the write's index.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any, Generic, TypeVar

from sampan.registry.store import Change, Store

Row = TypeVar("Row", bound=Mapping[str, Any])
Topic = Hashable
Grouping = Callable[[Any], Iterable[Hashable]]
"""Under which groups a row is found, besides its key."""
MOST_TOPICS = 1 << 16
AT_ONCE = 32
Choice = Callable[[Topic], bool]
"""Which of the topics that somebody waits for."""


class Table(Generic[Row]):
    """Rows by key. `groupings`: further ways to find them, kept up to date. Changed by a `Write` only.

    `saved` False: never on disk, for what a restart may forget. `prepared`: what becomes of a row that was read from
    the disk, before anybody else has it; tables are read in the order in which `Tables` is given them.
    """

    def __init__(
        self,
        name: str,
        groupings: Mapping[str, Grouping] | None = None,
        *,
        saved: bool = True,
        prepared: Callable[[Row], Row] | None = None,
    ) -> None:
        self.name = name
        self.saved = saved
        self.rows: dict[str, Row] = {}
        self._groupings = dict(groupings or {})
        self._prepared = prepared or (lambda row: row)
        self._groups: dict[str, dict[Hashable, dict[str, Row]]] = {name: {} for name in self._groupings}

    def get(self, key: str) -> Row | None:
        return self.rows.get(key)

    def group(self, grouping: str, value: Hashable) -> Collection[Row]:
        """The rows in a group, oldest first."""
        return self._groups[grouping].get(value, {}).values()

    def groups(self, grouping: str) -> Collection[Hashable]:
        """The groups that have rows."""
        return self._groups[grouping].keys()

    def place(self, key: str, row: Row | None) -> Row | None:
        """Sets or (None) removes a row, and gives the one before. For `Write` and for subclasses with more order."""
        before = self.rows.pop(key, None) if row is None else self.rows.get(key)
        for name, grouping in self._groupings.items():
            groups = self._groups[name]
            old = set(grouping(before)) if before is not None else set()
            new = dict.fromkeys(grouping(row)) if row is not None else {}
            for group in old - new.keys():
                groups[group].pop(key)
                if not groups[group]:
                    del groups[group]
            for group in new:
                groups.setdefault(group, {})[key] = row  # type: ignore[assignment]
        if row is not None:
            self.rows[key] = row
        return before

    def load(self, rows: Iterable[tuple[str, Row]]) -> None:
        """Places rows whose keys are new and come in their order."""
        groupings = [(grouping, self._groups[name]) for name, grouping in self._groupings.items()]
        for key, raw in rows:
            row = self.rows[key] = self._prepared(raw)
            for grouping, groups in groupings:
                for group in grouping(row):
                    within = groups.get(group)
                    if within is None:
                        groups[group] = {key: row}
                    else:
                        within[key] = row


class Write:
    """One write. Reads of the tables see what it has done so far."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.touched: set[Topic] = set()
        self.woken: set[Topic] = set()
        self.choices: list[Choice] = []
        self._before: dict[tuple[int, str], tuple[Table[Any], str, Any]] = {}
        self._undo: list[tuple[Table[Any], str, Any]] = []

    def put(self, table: Table[Row], key: str, row: Row) -> None:
        self._set(table, key, row)

    def delete(self, table: Table[Any], key: str) -> None:
        self._set(table, key, None)

    def touch(self, *topics: Topic) -> None:
        """These changed now; who waits for them wakes."""
        self.touched.update(topics)

    def wake(self, *topics: Topic) -> None:
        """Who waits for these wakes, without their index being kept: for topics of which there may be any number."""
        self.woken.update(topics)

    def wake_where(self, choice: Choice) -> None:
        """Who waits for a topic that is chosen wakes: for a write of so much that its topics cannot be counted up."""
        self.choices.append(choice)

    def _set(self, table: Table[Any], key: str, row: Any) -> None:
        before = table.place(key, row)
        self._undo.append((table, key, before))
        self._before.setdefault((id(table), key), (table, key, before))

    def undo(self) -> None:
        for table, key, before in reversed(self._undo):
            table.place(key, before)

    def changes(self) -> list[Change]:
        """What the disk has to hear: the last state of each row that differs."""
        result: list[Change] = []
        for table, key, before in self._before.values():
            row = table.get(key)
            if table.saved and row is not before:
                result.append((table.name, key, None if row is None else json.dumps(row, separators=(",", ":"))))
        return result


class Tables:
    """`store` None keeps nothing on disk (tests of the rules alone). `tables` are all there are, by name."""

    def __init__(self, tables: Iterable[Table[Any]], store: Store | None = None) -> None:
        self.tables = {table.name: table for table in tables}
        self._store = store
        self._topics: dict[Topic, int] = {}
        self._waiting: dict[Topic, set[asyncio.Future[None]]] = {}
        self._over = False
        if store is not None:
            for table in self.tables.values():
                for rows in store.parts(table.name):
                    table.load(rows)
        # An index is > 0, and what was before this start counts as changed at its last write: a client that waits with
        # an older index is answered at once, and never one too few times.
        self.index = self._floor = max(1, store.index() if store is not None else 0)

    def index_of(self, *topics: Topic) -> int:
        """When one of these was last touched; before the first touch, the index at the start."""
        return max((self._topics.get(topic, self._floor) for topic in topics), default=self._floor)

    @contextmanager
    def write(self) -> Iterator[Write]:
        """One write, saved when the block ends; StoreError, or what the block raises, leaves all as it was."""
        one = Write(self.index + 1)
        try:
            yield one
            changes = one.changes()
            # Also without a changed row (made and gone in one): clients read this index, and it must not come again.
            if self._store is not None and (changes or one.touched):
                self._store.save(one.index, changes)
        except BaseException:
            one.undo()
            raise
        if changes or one.touched or one.woken:
            self.index = one.index
            self._remember(one.touched, one.index)
            self._wake(one.touched | one.woken)
            for choice in one.choices:
                self._wake([topic for topic in self._waiting if choice(topic)])

    def _remember(self, topics: Iterable[Topic], index: int) -> None:
        """When there are too many (services with names of one use), the half that was not touched for longest is
        forgotten: who asks for one of those is told of a change that was none. Half, since that must be seldom."""
        for topic in topics:
            self._topics.pop(topic, None)
            self._topics[topic] = index
        if len(self._topics) > MOST_TOPICS:
            for topic in list(islice(self._topics, MOST_TOPICS // 2)):
                self._floor = max(self._floor, self._topics.pop(topic))

    def waiting(self) -> int:
        """How many wait, each topic counted."""
        return sum(map(len, self._waiting.values()))

    def _wake(self, topics: Iterable[Topic]) -> None:
        _tell([waiter for topic in topics for waiter in self._waiting.get(topic, ())])

    def let_go(self) -> None:
        """The end is near: nobody waits any more, from now on."""
        self._over = True
        self._wake(tuple(self._waiting))

    async def changed(self, topics: Collection[Topic], seconds: float) -> bool:
        """Waits until one of the topics is touched or woken: True; False after `seconds`, and when all were let go."""
        if self._over:
            return False
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for topic in topics:
            self._waiting.setdefault(topic, set()).add(waiter)
        try:
            async with asyncio.timeout(seconds):
                await waiter
        except TimeoutError:
            return False
        finally:
            for topic in topics:
                waiting = self._waiting[topic]
                waiting.discard(waiter)
                if not waiting:
                    del self._waiting[topic]
        return True


def _tell(waiters: list[asyncio.Future[None]]) -> None:
    """Some now and the rest afterwards, so that whoever asks while a thousand are told is answered among them."""
    for waiter in waiters[:AT_ONCE]:
        if not waiter.done():
            waiter.set_result(None)
    if rest := waiters[AT_ONCE:]:
        rest[0].get_loop().call_soon(_tell, rest)
