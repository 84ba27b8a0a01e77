"""What is under a prefix: which keys, when it last changed, and who is told of a change.

The indexes are Consul's (agent/consul/state/kvs.go, graveyard.go): a prefix has that of the last change under it,
deletions included, which is what tombstones are for; where there never was any, that of the last change of all keys.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NotRequired, TypedDict

from sampan.registry.ordered import OrderedTable
from sampan.registry.tables import Choice, Tables, Topic, Write

KEYS = "keys"
"""Topic: any key changed."""
MOST_TOMBSTONES = 2048
MOST_REMEMBERED = 64
_LONG = 256
_REAPED = "tombstones reaped"
_UNDER = "keys under"


class KeyRow(TypedDict):
    """`/v1/kv/…[]`. `Value` is base64; None for no bytes."""

    LockIndex: int
    Key: str
    Flags: int
    Value: str | None
    Session: NotRequired[str]
    CreateIndex: int
    ModifyIndex: int


class Tombstone(TypedDict):
    """When the key, or all that begins with it (`tree`; 0: never), was last deleted."""

    index: int
    tree: int


@dataclass(frozen=True, slots=True)
class Tree:
    index: int
    rows: Sequence[KeyRow]


def key_topic(key: str) -> Topic:
    return ("key", key)


def prefix_topic(prefix: str) -> Topic:
    return (_UNDER, prefix)


class Trees:
    """Over the table of keys. Of the newest deletions each has a tombstone; all older ones share one index."""

    def __init__(self, table: OrderedTable[KeyRow]) -> None:
        self.table = table
        self.tombstones: OrderedTable[Tombstone] = OrderedTable("tombstones", saved=False)
        self._at = 0
        self._remembered: dict[str, Tree] = {}

    def under(self, tables: Tables, prefix: str) -> Tree:
        """Found once for each change of any key: of a thousand who wait for it, one looks."""
        at = tables.index_of(KEYS)
        if at != self._at or len(self._remembered) >= MOST_REMEMBERED:
            self._at, self._remembered = at, {}
        if (tree := self._remembered.get(prefix)) is None:
            rows = self.table.under(prefix)
            tree = self._remembered[prefix] = Tree(self._index(tables, prefix, rows), rows)
        return tree

    def _index(self, tables: Tables, prefix: str, rows: Sequence[KeyRow]) -> int:
        any_key = tables.index_of(KEYS)
        if not prefix:
            return any_key
        last = max((row["ModifyIndex"] for row in rows), default=0)
        dead = max((stone["index"] for stone in self.tombstones.under(prefix)), default=0)
        if not last and not dead:
            return any_key
        return max(last, dead, self._around(prefix), tables.index_of(_REAPED))

    def _around(self, prefix: str) -> int:
        """When a tree that it is a part of was deleted. Consul 1.8.7 forgets those, and its index may fall."""
        if len(prefix) > _LONG:
            every = self.tombstones.rows.items()
            return max((stone["tree"] for key, stone in every if prefix.startswith(key)), default=0)
        around = (self.tombstones.get(prefix[:end]) for end in range(len(prefix)))
        return max((stone["tree"] for stone in around if stone is not None), default=0)

    def bury(self, write: Write, key: str, *, tree: bool) -> None:
        before = self.tombstones.get(key)
        if before is not None:
            write.delete(self.tombstones, key)  # so that the newest are last
        last_tree = write.index if tree else before["tree"] if before is not None else 0
        write.put(self.tombstones, key, Tombstone(index=write.index, tree=last_tree))
        if len(self.tombstones.rows) > MOST_TOMBSTONES:
            for old in list(self.tombstones.rows)[: MOST_TOMBSTONES // 2]:
                write.delete(self.tombstones, old)
            # Not one by one: each time, every prefix counts as changed once.
            write.touch(_REAPED)


def tell(write: Write, key: str) -> None:
    """Who waits for it, or for a prefix of it."""
    write.touch(KEYS)
    write.wake(key_topic(key))
    if len(key) > _LONG:
        write.wake_where(_prefixes_of(key, [key]))
    else:
        write.wake(*[prefix_topic(key[:end]) for end in range(len(key) + 1)])


def tell_tree(write: Write, prefix: str, gone: Sequence[str]) -> None:
    """`gone`: the keys that were under it, in order."""
    write.touch(KEYS)
    write.wake(*map(key_topic, gone))
    write.wake_where(_prefixes_of(prefix, gone))


def _prefixes_of(tree: str, gone: Sequence[str]) -> Choice:
    """The prefixes that had one of these keys under them (in order; all begin with `tree`)."""

    def choice(topic: Topic) -> bool:
        if not (isinstance(topic, tuple) and topic[0] == _UNDER):
            return False
        prefix = topic[1]
        if tree.startswith(prefix):
            return True
        at = bisect_left(gone, prefix)
        return at < len(gone) and gone[at].startswith(prefix)

    return choice
