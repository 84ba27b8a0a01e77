"""Results of the last run, kept by the identity of what they were made from.

Parts of a Plan are never changed, so a part that is the same object gives the same result. A kept result keeps its
part alive, so no other object can come to have its id. What a run did not touch is gone after it, so a Memo holds no
more than one Plan's worth.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from sampan.compile.actions import CompiledAction
    from sampan.compile.clusters import CompiledClusters
    from sampan.compile.listeners import ChainKey, CompiledChain
    from sampan.compile.routes import CompiledEntry, CompiledHost, CompiledTable
    from sampan.envoy.table import Row, Rows
    from sampan.model.plan import Action, Certificate, Entry, Host, HttpApplication, Upstream

K = TypeVar("K", bound=Hashable)
P = TypeVar("P")
R = TypeVar("R")

Cells = dict[int, tuple[P, R]]


class Kept(Generic[P, R]):
    """Results of one kind of unit."""

    def __init__(self) -> None:
        self._last: Cells[P, R] = {}
        self._now: Cells[P, R] = {}

    def get(self, part: P) -> R | None:
        """The result for this very part, kept for another run; None if there is none."""
        key = id(part)
        cell = self._now.get(key) or self._last.get(key)
        if cell is None or cell[0] is not part:
            return None
        self._now[key] = cell
        return cell[1]

    def of(self, part: P, build: Callable[[P], R]) -> R:
        result = self.get(part)
        if result is None:
            result = self.put(part, build(part))
        return result

    def put(self, part: P, result: R) -> R:
        self._now[id(part)] = (part, result)
        return result

    def keep(self, cells: Cells[P, R]) -> None:
        """Keeps results that this run had no need to look at."""
        self._now.update(cells)

    def cells(self, parts: Iterable[P]) -> Cells[P, R]:
        """The results of parts of this run, for `keep` in a later one."""
        return {id(part): self._now[id(part)] for part in parts}

    def sweep(self) -> None:
        self._last, self._now = self._now, {}

    def clear(self) -> None:
        self._last, self._now = {}, {}

    def __len__(self) -> int:
        return len(self._last)


class KeptByValue(Generic[K, R]):
    """Results by a key that says everything they depend on."""

    def __init__(self) -> None:
        self._last: dict[K, R] = {}
        self._now: dict[K, R] = {}

    def of(self, key: K, build: Callable[[K], R]) -> R:
        result = self._now.get(key) or self._last.get(key)
        if result is None:
            result = build(key)
        self._now[key] = result
        return result

    def sweep(self) -> None:
        self._last, self._now = self._now, {}

    def clear(self) -> None:
        self._last, self._now = {}, {}

    def __len__(self) -> int:
        return len(self._last)


@dataclass(slots=True)
class Memo:
    """One for each View: hand it to every run for that View.

    `context` is what all results depend on beside their parts (policy kinds, settings), `refused` what the joined ones
    do; another one clears what depends on it.
    """

    actions: Kept[Action, CompiledAction] = field(default_factory=Kept)
    entries: Kept[Entry, CompiledEntry] = field(default_factory=Kept)
    hosts: Kept[Host, CompiledHost] = field(default_factory=Kept)
    tables: Kept[HttpApplication, CompiledTable] = field(default_factory=Kept)
    upstreams: Kept[Upstream, tuple[Row, ...]] = field(default_factory=Kept)
    clusters: Kept[Mapping[str, Upstream], CompiledClusters] = field(default_factory=Kept)
    certificates: Kept[Certificate, Row] = field(default_factory=Kept)
    chains: KeptByValue[ChainKey, CompiledChain] = field(default_factory=KeptByValue)
    listeners: KeptByValue[Hashable, Row] = field(default_factory=KeptByValue)
    rows: dict[str, Rows] = field(default_factory=dict)
    context: object = None
    refused: Mapping[str, bytes | None] = field(default_factory=dict)

    def begin(self, context: object, refused: Mapping[str, bytes | None]) -> None:
        if context != self.context:
            for store in self._stores():
                store.clear()
            self.context = context
        elif refused != self.refused:
            self.hosts.clear()
            self.tables.clear()
        self.refused = dict(refused)

    def end(self) -> None:
        for store in self._stores():
            store.sweep()

    def same_rows(self, type_url: str, rows: Rows) -> Rows:
        """The mapping of the last run if it holds the very same rows, so that a comparison of Tables ends there."""
        last = self.rows.get(type_url)
        if last is not None and (last is rows or last == rows):
            return last
        self.rows[type_url] = rows
        return rows

    def _stores(self) -> tuple[Kept[Any, Any] | KeptByValue[Any, Any], ...]:
        return (
            *(self.actions, self.entries, self.hosts, self.tables),
            *(self.upstreams, self.clusters, self.certificates, self.chains, self.listeners),
        )
