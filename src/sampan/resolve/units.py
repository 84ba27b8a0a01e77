"""Memoised units of work, valid for exactly as long as nothing that they read has changed.

A unit is a pure function of a `Reader` and a key. It sees the snapshot, and other units, through the Reader alone,
which notes every read; so a unit's result depends on what was noted and on nothing else. When a snapshot follows, only
the units that read something that changed (the identity of an object, of a bucket of the index, of another unit's
result) run again. Their results are compared with the former ones part by part, and equal parts stay the same objects
(`sharing.keep`): work that depends on a result which came out the same is not done again either.

A unit whose key has lost its meaning (a listener that is gone) may run once more before nobody asks for it: it must
give some result, whatever the key.

Units live in tiers and use only units of lower tiers, so bringing them up to date is one pass upwards.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from sampan.model.diagnostic import Diagnostic
from sampan.model.meta import Object
from sampan.model.names import Ref
from sampan.model.policy import PolicyKind
from sampan.model.snapshot import IndexKey, Snapshot, difference
from sampan.resolve.sharing import keep

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

UnitKey = tuple[Any, ...]
"""(unit, *its key)."""
ReadKey = Any
"""A Ref, an index key, a UnitKey, or NOW."""

NOW = ("now",)
_MISSING = object()
_NOTHING: frozenset[ReadKey] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Unit(Generic[P, R_co]):
    """A memoised function. `tier`: it may use units of lower tiers only."""

    tier: int
    function: Callable[Concatenate[Reader, P], R_co]


def unit(tier: int) -> Callable[[Callable[Concatenate[Reader, P], R]], Unit[P, R]]:
    return lambda function: Unit(tier, function)


@dataclass(frozen=True, slots=True)
class Affects:
    """An emission: `policy` has a say in what `gateway` does."""

    policy: Ref
    gateway: Ref


Emission = Diagnostic | Affects


class Reader:
    """What a unit sees of the world. Every read is noted."""

    __slots__ = ("_units", "emitted", "reads")

    def __init__(self, units: Units) -> None:
        self._units = units
        self.reads: list[ReadKey] = []
        self.emitted: list[Emission] = []

    def get(self, ref: Ref) -> Object | None:
        self.reads.append(ref)
        return self._units.snapshot.objects.get(ref)

    def bucket(self, key: IndexKey) -> tuple[Object, ...]:
        self.reads.append(key)
        return self._units.snapshot.index.get(key, ())

    def now(self) -> str:
        """RFC 3339. A unit that reads the time runs at every resolve: keep it small."""
        self.reads.append(NOW)
        return self._units.now

    def use(self, unit: Unit[P, R], *key: P.args, **none: P.kwargs) -> R:
        """The result of another unit."""
        name = (unit, *key)
        self.reads.append(name)
        value = self._units.values.get(name, _MISSING)
        if value is _MISSING:
            value = self._units.compute(name)
        return value  # type: ignore[no-any-return]

    @property
    def policy_kinds(self) -> Mapping[str, PolicyKind]:
        """By name. The same for the whole life of a Memo, so not a read."""
        return self._units.policy_kinds

    def emit(self, emission: Emission) -> None:
        """Beside the result: counted as long as the unit's result is in use."""
        self.emitted.append(emission)


class Units:
    """The results of one moment, and who read what. Belongs to a Memo; changes from one resolve to the next."""

    def __init__(self, snapshot: Snapshot, policy_kinds: Mapping[str, PolicyKind]) -> None:
        self.snapshot = snapshot
        self.policy_kinds = policy_kinds
        self.now = ""
        self.values: dict[UnitKey, Any] = {}
        self.emissions: Counter[Emission] = Counter()
        self.emissions_touched: set[Emission] = set()
        self._emitted: dict[UnitKey, tuple[Emission, ...]] = {}
        self._reads: dict[UnitKey, frozenset[ReadKey]] = {}
        self._readers: dict[ReadKey, set[UnitKey]] = {}
        self._roots: set[UnitKey] = set()

    def advance(self, snapshot: Snapshot, now: str) -> tuple[frozenset[Ref], set[UnitKey]]:
        """Brings all results up to date. Returns the objects that changed, and the units whose results did."""
        changed = difference(self.snapshot, snapshot).objects
        keys: set[ReadKey] = set(changed)
        for ref, (old, new) in changed.items() if self.values else ():
            keys.add((ref.group, ref.kind))
            for item in (old, new):
                if item is not None:
                    keys.update(snapshot.index_of(item))
        if now != self.now:
            keys.add(NOW)
        self.snapshot = snapshot
        self.now = now
        return frozenset(changed), self._refresh(keys)

    def root(self, unit: Unit[P, R], *key: P.args, **none: P.kwargs) -> R:
        """A result that is wanted as long as `drop` is not called for it."""
        name = (unit, *key)
        self._roots.add(name)
        value = self.values.get(name, _MISSING)
        return self.compute(name) if value is _MISSING else value  # type: ignore[no-any-return]

    def drop(self, *name: Any) -> None:
        self._roots.discard(name)
        self._release([name])

    def compute(self, name: UnitKey) -> Any:
        reader = Reader(self)
        value = name[0].function(reader, *name[1:])
        former = self.values.get(name, _MISSING)
        if former is not _MISSING:
            value = keep(former, value)
        self.values[name] = value
        if reader.emitted or name in self._emitted:
            self._note_emissions(name, tuple(reader.emitted))
        self._note_reads(name, frozenset(reader.reads))
        return value

    def _refresh(self, keys: Iterable[ReadKey]) -> set[UnitKey]:
        by_tier: defaultdict[int, set[UnitKey]] = defaultdict(set)

        def spread(key: ReadKey) -> None:
            for name in self._readers.get(key, ()):
                by_tier[name[0].tier].add(name)

        for key in keys:
            spread(key)
        changed: set[UnitKey] = set()
        while by_tier:
            for name in by_tier.pop(min(by_tier)):
                former = self.values.get(name, _MISSING)
                if former is _MISSING:  # released meanwhile
                    continue
                if self.compute(name) is not former:
                    changed.add(name)
                    spread(name)
        return changed

    def _note_reads(self, name: UnitKey, reads: frozenset[ReadKey]) -> None:
        former = self._reads.get(name, _NOTHING)
        if reads == former:
            return
        self._reads[name] = reads
        readers = self._readers
        for key in reads - former if former else reads:
            known = readers.get(key)
            if known is None:
                readers[key] = {name}
            else:
                known.add(name)
        if former:
            self._unread(name, former - reads)

    def _unread(self, name: UnitKey, keys: Iterable[ReadKey]) -> None:
        unread = []
        for key in keys:
            known = self._readers[key]
            known.discard(name)
            if not known:
                del self._readers[key]
                if type(key) is tuple and key in self.values:
                    unread.append(key)
        self._release(unread)

    def _release(self, names: Iterable[UnitKey]) -> None:
        """Forgets results that nobody reads any more."""
        for name in names:
            if name in self._roots or name in self._readers:
                continue
            if self.values.pop(name, _MISSING) is not _MISSING:
                self._note_emissions(name, ())
                self._unread(name, self._reads.pop(name, _NOTHING))

    def _note_emissions(self, name: UnitKey, emitted: tuple[Emission, ...]) -> None:
        former = self._emitted.get(name, ())
        if emitted == former:
            return
        self.emissions.subtract(former)
        self.emissions.update(emitted)
        self.emissions_touched.update(former, emitted)
        if emitted:
            self._emitted[name] = emitted
        else:
            del self._emitted[name]

    def take_emissions(self) -> tuple[set[Emission], set[Emission]]:
        """(those that are there, those that are not) of all that were touched since this was last asked."""
        there = {item for item in self.emissions_touched if self.emissions[item] > 0}
        gone = self.emissions_touched - there
        for item in gone:
            del self.emissions[item]
        self.emissions_touched = set()
        return there, gone
