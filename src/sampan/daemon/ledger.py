"""What Kubernetes would remember for us: generations of objects and when a condition last changed.

Without an API server they come from here (`docs/decisions/0002-time-and-order.md`):
`metadata.generation` is the document's own or counts the changes of its spec seen by this state folder;
`lastTransitionTime` is when this control plane first saw the condition's present status.
Neither decides anything: the order of objects comes from the documents alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from sampan.documents.kinds.instance import KIND as INSTANCE
from sampan.model.meta import Object
from sampan.model.names import Ref
from sampan.model.snapshot import Change
from sampan.model.status import Condition, Status

ConditionKey = tuple[Ref, str, str]
"""Object, place within its status ("" or `listeners/<name>`, `parents/<n>`, `ancestors/<n>`), type of the condition."""


@dataclass(frozen=True, slots=True)
class Generation:
    """`text` and `spec` are hashes: of the whole document, cheap to compare, and of the spec, which decides."""

    number: int
    text: str
    spec: str


@dataclass(frozen=True, slots=True)
class Transition:
    """`since` is RFC 3339."""

    status: str
    since: str


@dataclass(slots=True)
class Ledger:
    """In memory; `dirty` says what the database has not seen yet."""

    generations: dict[Ref, Generation] = field(default_factory=dict)
    transitions: dict[ConditionKey, Transition] = field(default_factory=dict)
    dirty_generations: set[Ref] = field(default_factory=set)
    dirty_transitions: set[ConditionKey] = field(default_factory=set)

    def observe(self, change: Change) -> None:
        """Counts generations. Objects that went are forgotten: one that returns starts at 1, as in Kubernetes.
        Instances have no generation, and come and go by the thousands."""
        for ref, (_, new) in change.objects.items():
            if (ref.group, ref.kind) == INSTANCE:
                continue
            if new is None:
                if self.generations.pop(ref, None) is not None:
                    self.dirty_generations.add(ref)
                self._forget(ref)
            else:
                self._count(new)

    def _count(self, item: Object) -> None:
        known = self.generations.get(item.ref)
        text = digest(item.text)
        if known is not None and known.text == text:
            return
        spec = digest(repr(item.spec))
        changed = known is not None and known.spec != spec
        number = 1 if known is None else known.number + changed
        self.generations[item.ref] = Generation(number, text, spec)
        self.dirty_generations.add(item.ref)

    def _forget(self, ref: Ref) -> None:
        for key in [key for key in self.transitions if key[0] == ref]:
            del self.transitions[key]
            self.dirty_transitions.add(key)

    def generation(self, item: Object) -> int:
        if item.meta.generation:
            return item.meta.generation
        known = self.generations.get(item.ref)
        return known.number if known else 1

    def observe_statuses(self, old: Mapping[Ref, Status], new: Mapping[Ref, Status], now: str) -> None:
        """Notes at `now` every condition whose status is not what it was. Equal Status objects cost one comparison."""
        for ref, status in new.items():
            if old.get(ref) is status:
                continue
            for place, condition in placed_conditions(status):
                key = (ref, place, condition.type)
                known = self.transitions.get(key)
                if known is None or known.status != condition.status:
                    self.transitions[key] = Transition(condition.status, now)
                    self.dirty_transitions.add(key)

    def since(self, ref: Ref, place: str, type_: str) -> str:
        """`lastTransitionTime`, or "" of a condition never seen."""
        known = self.transitions.get((ref, place, type_))
        return known.since if known else ""


def placed_conditions(status: Status) -> Iterator[tuple[str, Condition]]:
    """Every condition of a status with its place."""
    for condition in status.conditions:
        yield "", condition
    for listener in status.listeners:
        for condition in listener.conditions:
            yield f"listeners/{listener.name}", condition
    for place, parents in (("parents", status.parents), ("ancestors", status.ancestors)):
        for number, parent in enumerate(parents):
            for condition in parent.conditions:
                yield f"{place}/{number}", condition


def digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()
