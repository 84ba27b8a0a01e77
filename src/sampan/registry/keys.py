"""The keys: what is set and deleted, by Consul's rules (agent/consul/state/kvs.go). Locks are in `locks`.

A key has the index of its last change. A plain set keeps the session that holds the key and makes LockIndex 0, as
Consul's does.
"""

from __future__ import annotations

from collections.abc import Collection

from sampan.registry.ordered import OrderedTable
from sampan.registry.tables import Write
from sampan.registry.trees import KeyRow, Trees, tell, tell_tree

LARGEST_VALUE = 512 * 1024
"""Bytes; Consul's kv_max_value_size."""


class Keys:
    """Over the table of keys."""

    def __init__(self) -> None:
        self.table: OrderedTable[KeyRow] = OrderedTable("keys", {"session": _holder})
        self.trees = Trees(self.table)

    def get(self, key: str) -> KeyRow | None:
        return self.table.get(key)

    def under(self, prefix: str) -> list[KeyRow]:
        """Within a write, too."""
        return self.table.under(prefix)

    def held_by(self, session: str) -> Collection[KeyRow]:
        return self.table.group("session", session)

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
        tell(write, key)
        return row

    def delete(self, write: Write, key: str) -> None:
        if self.get(key) is not None:
            write.delete(self.table, key)
            self.trees.bury(write, key, tree=False)
            tell(write, key)

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
        self.trees.bury(write, prefix, tree=True)
        tell_tree(write, prefix, gone)


def _content(row: KeyRow) -> tuple[str | None, int, int, str]:
    return (row["Value"], row["Flags"], row["LockIndex"], row.get("Session", ""))


def _holder(row: KeyRow) -> tuple[str, ...]:
    session = row.get("Session")
    return (session,) if session else ()
