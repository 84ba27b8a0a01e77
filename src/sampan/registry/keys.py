"""The keys: what is set, deleted and found, and when what is under a prefix last changed. Locks are in `locks`.

The indexes are Consul's (agent/consul/state/kvs.go): a key has that of its last change; a prefix that of the last
change under it, deletions included, which is what tombstones are for; what is not there that of the last change of any
key. A plain set keeps the session that holds the key and makes LockIndex 0, as Consul's does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable
from typing import NotRequired, TypedDict

from sampan.registry.ordered import OrderedTable
from sampan.registry.tables import Choice, Tables, Topic, Write

KEYS = "keys"
"""Topic: any key changed."""
LARGEST_VALUE = 512 * 1024
"""Bytes; Consul's kv_max_value_size."""
MOST_TOMBSTONES = 2048
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


def key_topic(key: str) -> Topic:
    return ("key", key)


def prefix_topic(prefix: str) -> Topic:
    return (_UNDER, prefix)


class Keys:
    """Over the table of keys. Of the newest deletions each has a tombstone; all older ones share one index."""

    def __init__(self) -> None:
        self.table: OrderedTable[KeyRow] = OrderedTable("keys", {"session": _holder})
        self.tombstones: OrderedTable[Tombstone] = OrderedTable("tombstones", saved=False)

    # ---------------------------------------------------------------- reads

    def get(self, key: str) -> KeyRow | None:
        return self.table.get(key)

    def under(self, prefix: str) -> list[KeyRow]:
        return self.table.under(prefix)

    def held_by(self, session: str) -> Collection[KeyRow]:
        return self.table.group("session", session)

    def index_under(self, tables: Tables, prefix: str, rows: Iterable[KeyRow]) -> int:
        """`rows`: those under the prefix."""
        any_key = tables.index_of(KEYS)
        if not prefix:
            return any_key
        last = max((row["ModifyIndex"] for row in rows), default=0)
        dead = max((stone["index"] for stone in self.tombstones.under(prefix)), default=0)
        if not last and not dead:
            return any_key
        # Consul 1.8.7 forgets the trees that the prefix was a part of, and its index may fall.
        around = (self.tombstones.get(prefix[:end]) for end in range(len(prefix)))
        trees = max((stone["tree"] for stone in around if stone is not None), default=0)
        return max(last, dead, trees, tables.index_of(_REAPED))

    # --------------------------------------------------------------- writes

    def set(self, write: Write, key: str, value: str | None, flags: int = 0) -> KeyRow:
        before = self.get(key)
        return self.put(write, key, value, flags, 0, before.get("Session", "") if before else "")

    def set_if(self, write: Write, key: str, value: str | None, flags: int, index: int) -> KeyRow | None:
        """If the key is of this index; 0: if there is none. None: it is not."""
        before = self.get(key)
        if index != (before["ModifyIndex"] if before else 0):
            return None
        return self.set(write, key, value, flags)

    def put(self, write: Write, key: str, value: str | None, flags: int, lock_index: int, session: str) -> KeyRow:
        """The key as a whole. What is the same already stays as it is."""
        before = self.get(key)
        wanted = (value, flags, lock_index, session)
        if before is not None and wanted == _content(before):
            return before
        created = before["CreateIndex"] if before else write.index
        head = {"LockIndex": lock_index, "Key": key, "Flags": flags, "Value": value}
        holder = {"Session": session} if session else {}
        row: KeyRow = {**head, **holder, "CreateIndex": created, "ModifyIndex": write.index}  # type: ignore[typeddict-item]
        write.put(self.table, key, row)
        _tell(write, key)
        return row

    def delete(self, write: Write, key: str) -> None:
        if self.get(key) is not None:
            write.delete(self.table, key)
            self._bury(write, key, tree=False)
            _tell(write, key)

    def delete_if(self, write: Write, key: str, index: int) -> bool:
        """If the key is of this index. What is not there counts as deleted."""
        before = self.get(key)
        if before is not None and before["ModifyIndex"] != index:
            return False
        self.delete(write, key)
        return True

    def delete_under(self, write: Write, prefix: str) -> None:
        """With one tombstone for all of it."""
        gone = [row["Key"] for row in self.under(prefix)]
        if not gone:
            return
        for key in gone:
            write.delete(self.table, key)
        self._bury(write, prefix, tree=True)
        write.touch(KEYS)
        write.wake(*map(key_topic, gone))
        write.wake_where(_prefixes_of(prefix, gone))

    def _bury(self, write: Write, key: str, *, tree: bool) -> None:
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


def _content(row: KeyRow) -> tuple[str | None, int, int, str]:
    return (row["Value"], row["Flags"], row["LockIndex"], row.get("Session", ""))


def _holder(row: KeyRow) -> tuple[str, ...]:
    session = row.get("Session")
    return (session,) if session else ()


def _tell(write: Write, key: str) -> None:
    write.touch(KEYS)
    write.wake(key_topic(key), *[prefix_topic(key[:end]) for end in range(len(key) + 1)])


def _prefixes_of(tree: str, gone: list[str]) -> Choice:
    """The prefixes that had one of these keys under them (sorted; all under `tree`)."""

    def choice(topic: Topic) -> bool:
        if not (isinstance(topic, tuple) and topic[0] == _UNDER):
            return False
        prefix = topic[1]
        if tree.startswith(prefix):
            return True
        at = bisect_left(gone, prefix)
        return at < len(gone) and gone[at].startswith(prefix)

    return choice
