"""What the documents say and mean, from the first record on: merge and resolve, without a protobuf.

A step is plain computing on the event loop; what comes while it runs waits and is taken together by the next one, so a
burst of changes costs as many steps as there is time for, and no timer delays the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sampan.documents.kinds.kind_set import KindSet
from sampan.model.diagnostic import Diagnostic
from sampan.model.policy import PolicyKind
from sampan.model.snapshot import Change, Snapshot
from sampan.resolve import Memo, Resolution, groups_touched, index_of, resolve
from sampan.sources.last_good import LastGood
from sampan.sources.merge import Merged, merge, start
from sampan.sources.source import Records


@dataclass(frozen=True, slots=True)
class Step:
    """What one step changed. `groups` are the endpoint groups to be looked at again; with `resolved` False nothing
    else can differ: the short road."""

    change: Change
    groups: frozenset[str]
    resolved: bool

    @staticmethod
    def nothing() -> Step:
        return Step(Change({}), frozenset(), False)


class World:
    """The latest snapshot and what it means."""

    def __init__(self, kinds: KindSet, policies: Sequence[PolicyKind], last_good: LastGood | None = None) -> None:
        self.kinds = kinds
        self.policies = tuple(policies)
        self.merged: Merged = start(Snapshot(index_of), kinds, last_good)
        self.resolution = Resolution()
        self._memo = Memo()
        self._began = False

    @property
    def snapshot(self) -> Snapshot:
        return self.merged.snapshot

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Of reading and of resolving, not yet narrowed to the lines of their fields."""
        return (*self.merged.diagnostics, *self.resolution.diagnostics)

    def advance(self, records: Iterable[Records], now: str) -> Step:
        """Takes in what the sources said. `now` is RFC 3339."""
        before = self.merged.snapshot
        self.merged = merge(self.merged, records)
        change = self.merged.change
        groups, more = groups_touched(change, before, self.merged.snapshot)
        needed = more or not self._began
        if needed:
            self.resolve(now)
        return Step(change, groups, needed)

    def resolve(self, now: str) -> None:
        """Resolves anew; also without a change, for certificates that expire."""
        self.resolution = resolve(self.merged.snapshot, self.policies, self._memo, now=now)
        self._began = True
