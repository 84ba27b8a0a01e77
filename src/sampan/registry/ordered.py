"""A table whose rows are also found by what their keys begin with, in the order of the keys."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping

from sampan.registry.tables import Grouping, Row, Table

_FEWEST_GONE = 64
_LAST = chr(0x10FFFF)


class OrderedTable(Table[Row]):
    """A key that is removed stays in the order until half of the order is gone: removing many costs no more than few.

    The order is that of code points, which is that of UTF-8's bytes, as in Consul.
    """

    def __init__(self, name: str, groupings: Mapping[str, Grouping] | None = None, *, saved: bool = True) -> None:
        super().__init__(name, groupings, saved=saved)
        self._order: list[str] = []
        self._gone = 0

    def place(self, key: str, row: Row | None) -> Row | None:
        before = super().place(key, row)
        if before is None and row is not None:
            at = bisect_left(self._order, key)
            if at < len(self._order) and self._order[at] == key:
                self._gone -= 1
            else:
                self._order.insert(at, key)
        elif before is not None and row is None:
            self._gone += 1
            if self._gone > _FEWEST_GONE and self._gone * 2 > len(self._order):
                self._order = [kept for kept in self._order if kept in self.rows]
                self._gone = 0
        return before

    def load(self, rows: Iterable[tuple[str, Row]]) -> None:
        placed = list(rows)
        super().load(placed)
        self._order += [key for key, _ in placed]

    def under(self, prefix: str) -> list[Row]:
        """The rows whose keys begin with it."""
        rows = self.rows
        found = self._order[bisect_left(self._order, prefix) : self._end(prefix)] if prefix else self._order
        return [rows[key] for key in found if key in rows]

    def _end(self, prefix: str) -> int:
        """Where the keys that begin with it end."""
        stem = prefix.rstrip(_LAST)
        return bisect_left(self._order, stem[:-1] + chr(ord(stem[-1]) + 1)) if stem else len(self._order)
