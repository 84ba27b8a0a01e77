"""Many sources, one Snapshot. Pure: what was merged so far and new records give the next, at the cost of what changed.

- An object that two documents define counts as the one that comes first by file and line, and one of a file before one
  of a shared store (`source.SHARED`); the other is told so.
- A document that yields (a registered Service under its bare name) gives way to any that does not, whatever its state:
  no registration takes over or breaks a name that a document has.
- What cannot be read keeps its last good version: a document whose object is known keeps that object; one that cannot
  even be named (a syntax error, an unreadable file) keeps every object that its key had and that is not there now.
- A removed key takes its objects with it; so does a document that is gone from a key that can be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

from sampan.documents.kinds.kind_set import KindSet
from sampan.documents.load import Document, Loaded, skip_warnings
from sampan.model.diagnostic import Diagnostic
from sampan.model.meta import Object, Origin
from sampan.model.names import Ref
from sampan.model.snapshot import Change, Snapshot
from sampan.sources import contest
from sampan.sources.contribution import NOTHING, UNAVAILABLE, Contribution, differing, following
from sampan.sources.last_good import Key, LastGood, restored
from sampan.sources.source import Records, under

V = TypeVar("V")

NO_CHANGE = Change(MappingProxyType({}))


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """Everything of all sources. `snapshot` is what resolving reads; `places` says where each object stands now, which
    `documents.locate` needs; `last_good` is for the caller to keep; `change` is what the last merge changed."""

    snapshot: Snapshot
    kinds: KindSet
    last_good: LastGood = field(default_factory=LastGood)
    places: Mapping[Ref, Origin] = field(default_factory=dict)
    contributions: Mapping[Key, Contribution] = field(default_factory=dict)
    claims: Mapping[Ref, tuple[Key, ...]] = field(default_factory=dict)
    contested: Mapping[Ref, tuple[Diagnostic, ...]] = field(default_factory=dict)
    health: Mapping[str, tuple[Diagnostic, ...]] = field(default_factory=dict)
    change: Change = NO_CHANGE

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All mistakes of reading, by place."""
        found = [item for part in self.contributions.values() for item in part.diagnostics]
        found += [item for part in self.contested.values() for item in part]
        found += [item for part in self.health.values() for item in part]
        found += skip_warnings(tuple(item for part in self.contributions.values() for item in part.skipped))
        return tuple(sorted(found, key=lambda item: item.sort_key))


def start(snapshot: Snapshot, kinds: KindSet, last_good: LastGood | None = None) -> Merged:
    """Before any record. `snapshot` is empty (it brings its index function); `last_good` is of the last run."""
    return Merged(snapshot, kinds, last_good or LastGood())


def merge(merged: Merged, records: Iterable[Records]) -> Merged:
    """The next state. Objects of unchanged documents stay the same objects."""
    work = _Work(merged)
    for record in records:
        work.take(record)
    return work.done()


class _Work:
    """One merge under way, whatever the number of records: what is copied is copied once."""

    def __init__(self, merged: Merged) -> None:
        self._before = merged
        self._contributions = dict(merged.contributions)
        self._claims = dict(merged.claims)
        self._health = dict(merged.health)
        self._touched: set[Ref] = set()
        self._changed: dict[Key, Iterable[Document]] = {}

    def take(self, record: Records) -> None:
        self._health[record.source] = record.health.diagnostics
        for name, loaded in record.changed.items():
            self._update((record.source, name), loaded)
        for name in record.removed:
            self._update((record.source, name), None)
        if record.whole or record.unavailable:
            for key, nothing in self._unnamed(record):
                self._update(key, nothing)

    def _update(self, key: Key, loaded: Loaded | None) -> None:
        in_force = self._contributions.get(key, NOTHING)
        before = in_force if in_force is not NOTHING else self._from_last_run(key, loaded)
        after = following(before, loaded)
        self._touched |= differing(in_force, after)
        _claim(self._claims, key, in_force, after)
        if loaded is None and not after.documents and not after.diagnostics:
            self._contributions.pop(key, None)
        else:
            self._contributions[key] = after
        self._changed[key] = after.documents.values()

    def _unnamed(self, record: Records) -> list[tuple[Key, Loaded | None]]:
        """Keys of the source that the records do not name: removed if the records are whole, kept where unavailable.
        Those known only from the last run are brought back as they were."""
        known = {key for key in (*self._contributions, *self._before.last_good.saved) if key[0] == record.source}
        result: list[tuple[Key, Loaded | None]] = []
        for key in sorted(known):
            if key[1] in record.changed or key[1] in record.removed:
                continue
            if under(key[1], record.unavailable):
                if key not in self._contributions:
                    result.append((key, UNAVAILABLE))
            elif record.whole:
                result.append((key, None))
        return result

    def _from_last_run(self, key: Key, loaded: Loaded | None) -> Contribution:
        """What a key had in force when the program ended, if that matters: because it cannot be read now."""
        saved = self._before.last_good.saved.get(key) if key not in self._changed else None
        needed = loaded is not None and (loaded is UNAVAILABLE or loaded.broken)
        if not saved or not needed:
            return NOTHING
        documents = {document.object.ref: document for document in restored(key, saved, self._before.kinds)}
        return Contribution(documents, frozenset(documents))

    def done(self) -> Merged:
        before = self._before
        contested, places = dict(before.contested), dict(before.places)
        objects: dict[Ref, Object | None] = {}
        change: dict[Ref, tuple[Object | None, Object | None]] = {}
        for ref in self._touched:
            keys = self._claims.get(ref, ())
            result = contest.settle(ref, [self._contributions[key] for key in keys]) if keys else contest.NOBODY
            old, new = before.snapshot.get(ref), result.document.object if result.document is not None else None
            if old is not new:
                objects[ref] = new
                change[ref] = (old, new)
            _put(places, ref, result.document.origin if result.document is not None else None)
            _put(contested, ref, result.diagnostics or None)
        return Merged(
            before.snapshot.with_changes(objects),
            before.kinds,
            before.last_good.with_keys(self._changed),
            places,
            self._contributions,
            self._claims,
            contested,
            self._health,
            Change(change),
        )


def _put(values: dict[Ref, V], ref: Ref, value: V | None) -> None:
    if value is None:
        values.pop(ref, None)
    else:
        values[ref] = value


def _claim(claims: dict[Ref, tuple[Key, ...]], key: Key, before: Contribution, after: Contribution) -> None:
    for ref in before.documents.keys() - after.documents.keys():
        rest = tuple(other for other in claims.get(ref, ()) if other != key)
        if rest:
            claims[ref] = rest
        else:
            claims.pop(ref, None)
    for ref in after.documents.keys() - before.documents.keys():
        claims[ref] = (*claims.get(ref, ()), key)
