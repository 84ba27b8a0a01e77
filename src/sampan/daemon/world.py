"""What the documents say and mean, from the first record on: merge and resolve, without a protobuf.

A step is plain computing on the event loop; what comes while it runs waits and is taken together by the next one, so a
burst of changes costs as many steps as there is time for, and no timer delays the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sampan.daemon.faults import caught
from sampan.documents.kinds.kind_set import KindSet
from sampan.model import codes
from sampan.model.diagnostic import Diagnostic
from sampan.model.policy import PolicyKind
from sampan.model.snapshot import Change, Snapshot, difference
from sampan.resolve import Expansion, Memo, Resolution, groups_touched, index_of, resolve, told
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
    """The latest snapshot and what it means. `snapshot` is what was merged, and the routes that Publications make."""

    def __init__(self, kinds: KindSet, policies: Sequence[PolicyKind], last_good: LastGood | None = None) -> None:
        self.kinds = kinds
        self.policies = tuple(policies)
        self.merged: Merged = start(Snapshot(index_of), kinds, last_good)
        self.snapshot = self.merged.snapshot
        self.resolution = Resolution()
        self._expansion = Expansion()
        self._memo = Memo()
        self.began = False
        self.fault: Diagnostic | None = None
        self._anew = False

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Of reading and of resolving, not yet narrowed to the lines of their fields."""
        faults = () if self.fault is None else (self.fault,)
        return (*self.merged.diagnostics, *self.resolution.diagnostics, *faults)

    @property
    def lacks(self) -> bool:
        """Whether documents speak of what a source that has said nothing yet may know: Services that nobody has, or
        whatever is registered."""
        return bool(self._expansion) or any(
            item.code in (codes.MISSING_REFERENCE, codes.NOT_REGISTERED) for item in self.resolution.diagnostics
        )

    def advance(self, records: Iterable[Records], now: str) -> Step:
        """Takes in what the sources said. `now` is RFC 3339. A mistake of our own changes nothing, and is told."""
        try:
            return self._advanced(records, now)
        except Exception as error:
            self._anew = True
            self.fault = caught("taking in a change", error)
            return Step.nothing()

    def _advanced(self, records: Iterable[Records], now: str) -> Step:
        before = self.snapshot
        change = self._taken_in(records)
        groups, more = groups_touched(change, before, self.snapshot)
        needed = more or not self.began
        if needed:
            self.resolve(now)
        return Step(change, groups, needed)

    def _taken_in(self, records: Iterable[Records]) -> Change:
        self.merged = merge(self.merged, records)
        change = self.merged.change
        if self._anew:  # what was half brought up to date is worth nothing
            self.snapshot, self._expansion, self._memo = Snapshot(index_of), Expansion(), Memo()
            change = difference(self.snapshot, self.merged.snapshot)
            self._anew = False
        routes = self._expansion.follow(change, self.merged.snapshot)
        if not (routes or self._expansion):
            self.snapshot = self.merged.snapshot
            return change
        both = {ref: (self.snapshot.get(ref), item) for ref, item in routes.items()}
        change = Change({**change.objects, **both})
        self.snapshot = self.snapshot.with_changes({ref: after for ref, (_, after) in change.objects.items()})
        return change

    def resolve(self, now: str) -> None:
        """Resolves anew; also without a change, for certificates that expire."""
        self.began = True
        try:
            resolution = resolve(self.snapshot, self.policies, self._memo, now=now)
            self.resolution = told(resolution, self._expansion) if self._expansion else resolution
            self.fault = None
        except Exception as error:
            self._memo = Memo()  # half brought up to date: worth nothing
            self.fault = caught("resolving", error)
