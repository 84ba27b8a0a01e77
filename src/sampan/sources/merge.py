"""Many sources, one Snapshot. Pure: what was merged so far and new records give the next, at the cost of what changed.

- An object that two documents define counts as the one that comes first by file and line; the other is told so.
- What cannot be read keeps its last good version: a document whose object is known keeps that object; one that cannot
  even be named (a syntax error, an unreadable file) keeps every object that its key had and that is not there now.
- A removed key takes its objects with it; so does a document that is gone from a key that can be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sampan.documents.kinds.kind_set import KindSet
from sampan.documents.load import Document, Loaded, Skipped, skip_warnings
from sampan.model.codes import DUPLICATE_OBJECT, LAST_GOOD
from sampan.model.diagnostic import Diagnostic
from sampan.model.meta import Object, Origin
from sampan.model.names import Ref
from sampan.model.snapshot import Snapshot
from sampan.sources.last_good import Key, LastGood, restored
from sampan.sources.source import Records, under


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one key has in force: documents by Ref, which of them are only held (last good), and documents that repeat
    a Ref of the same key."""

    documents: Mapping[Ref, Document] = field(default_factory=dict)
    held: frozenset[Ref] = frozenset()
    repeated: tuple[Document, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """Everything of all sources. `snapshot` is what resolving reads; `places` says where each object stands now, which
    `documents.locate` needs; `last_good` is for the caller to keep."""

    snapshot: Snapshot
    kinds: KindSet
    last_good: LastGood = field(default_factory=LastGood)
    places: Mapping[Ref, Origin] = field(default_factory=dict)
    contributions: Mapping[Key, Contribution] = field(default_factory=dict)
    claims: Mapping[Ref, tuple[Key, ...]] = field(default_factory=dict)
    duplicates: Mapping[Ref, tuple[Diagnostic, ...]] = field(default_factory=dict)
    health: Mapping[str, tuple[Diagnostic, ...]] = field(default_factory=dict)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All mistakes of reading, by place."""
        found = [item for part in self.contributions.values() for item in part.diagnostics]
        found += [item for part in self.duplicates.values() for item in part]
        found += [item for part in self.health.values() for item in part]
        found += skip_warnings(tuple(item for part in self.contributions.values() for item in part.skipped))
        return tuple(sorted(found, key=lambda item: item.sort_key))


def start(snapshot: Snapshot, kinds: KindSet, last_good: LastGood | None = None) -> Merged:
    """Before any record. `snapshot` is empty (it brings its index function); `last_good` is of the last run."""
    return Merged(snapshot, kinds, last_good or LastGood())


def merge(merged: Merged, records: Iterable[Records]) -> Merged:
    """The next state. Objects of unchanged documents stay the same objects."""
    for record in records:
        merged = _merge_one(merged, record)
    return merged


def _merge_one(merged: Merged, record: Records) -> Merged:
    contributions = dict(merged.contributions)
    touched: set[Ref] = set()
    changed: dict[Key, Iterable[Document]] = {}
    updates: list[tuple[Key, Loaded | None]] = []
    updates += [((record.source, name), loaded) for name, loaded in record.changed.items()]
    updates += [((record.source, name), None) for name in record.removed]
    if record.whole or record.unavailable:
        updates += _unnamed(merged, record)
    claims = dict(merged.claims)
    for key, loaded in updates:
        before = contributions.get(key) or _from_last_run(merged, key, loaded)
        after = _contribution(key, before, loaded)
        touched |= before.documents.keys() | after.documents.keys()
        _claim(claims, key, merged.contributions.get(key, Contribution()), after)
        if loaded is None and not after.documents and not after.diagnostics:
            contributions.pop(key, None)
        else:
            contributions[key] = after
        changed[key] = after.documents.values()
    health = dict(merged.health)
    health[record.source] = record.health.diagnostics
    state = _State(contributions, claims, dict(merged.duplicates), dict(merged.places))
    objects = state.settle(touched)
    return Merged(
        merged.snapshot.with_changes(objects),
        merged.kinds,
        merged.last_good.with_keys(changed),
        state.places,
        contributions,
        claims,
        state.duplicates,
        health,
    )


def _unnamed(merged: Merged, record: Records) -> list[tuple[Key, Loaded | None]]:
    """Keys of the source that the records do not name: removed if the records are whole, kept where unavailable. Those
    known only from the last run are brought back as they were."""
    known = {key for key in (*merged.contributions, *merged.last_good.saved) if key[0] == record.source}
    result: list[tuple[Key, Loaded | None]] = []
    for key in sorted(known):
        if key[1] in record.changed or key[1] in record.removed:
            continue
        if under(key[1], record.unavailable):
            if key not in merged.contributions:
                result.append((key, _UNAVAILABLE))
        elif record.whole:
            result.append((key, None))
    return result


# Stands for a key under a folder that vanished: nothing is known of it, so everything of it is held.
_UNAVAILABLE = Loaded()


def _from_last_run(merged: Merged, key: Key, loaded: Loaded | None) -> Contribution:
    """What a key had in force when the program ended, if that matters: because it cannot be read now."""
    saved = merged.last_good.saved.get(key)
    needed = loaded is not None and (loaded is _UNAVAILABLE or loaded.broken)
    if not saved or not needed:
        return Contribution()
    documents = {document.object.ref: document for document in restored(key, saved, merged.kinds)}
    return Contribution(documents, frozenset(documents))


def _contribution(key: Key, before: Contribution, loaded: Loaded | None) -> Contribution:
    if loaded is None:
        return Contribution()
    if loaded is _UNAVAILABLE:
        return Contribution(before.documents, frozenset(before.documents))
    documents: dict[Ref, Document] = {}
    repeated: list[Document] = []
    for document in loaded.documents:
        if document.object.ref in documents:
            repeated.append(document)
        else:
            documents[document.object.ref] = document
    held = _held(before, loaded, documents)
    documents |= {ref: before.documents[ref] for ref in held}
    diagnostics = loaded.diagnostics
    if held:
        diagnostics = (*diagnostics, _held_warning(held, loaded))
    return Contribution(documents, frozenset(held), tuple(repeated), diagnostics, loaded.skipped)


def _held(before: Contribution, loaded: Loaded, documents: Mapping[Ref, Document]) -> list[Ref]:
    broken = {item.ref for item in loaded.broken}
    return [ref for ref in before.documents if ref not in documents and (ref in broken or None in broken)]


def _held_warning(held: list[Ref], loaded: Loaded) -> Diagnostic:
    names = ", ".join(str(ref) for ref in held[:3]) + (f" and {len(held) - 3} more" if len(held) > 3 else "")
    broken = {item.ref: item.origin for item in loaded.broken}
    origin = next((broken[ref] for ref in held if ref in broken), None) or broken[None]
    return Diagnostic(
        LAST_GOOD, f"until this can be read, this stays as it was: {names}", origin, held[0] if len(held) == 1 else None
    )


def _claim(claims: dict[Ref, tuple[Key, ...]], key: Key, before: Contribution, after: Contribution) -> None:
    for ref in before.documents.keys() - after.documents.keys():
        rest = tuple(other for other in claims.get(ref, ()) if other != key)
        if rest:
            claims[ref] = rest
        else:
            claims.pop(ref, None)
    for ref in after.documents.keys() - before.documents.keys():
        claims[ref] = (*claims.get(ref, ()), key)


@dataclass(slots=True)
class _State:
    """The indexes while one record is merged."""

    contributions: Mapping[Key, Contribution]
    claims: Mapping[Ref, tuple[Key, ...]]
    duplicates: dict[Ref, tuple[Diagnostic, ...]]
    places: dict[Ref, Origin]

    def settle(self, touched: Iterable[Ref]) -> dict[Ref, Object | None]:
        """Which document counts for each Ref that may have changed."""
        result: dict[Ref, Object | None] = {}
        for ref in touched:
            candidates = [self.contributions[key] for key in self.claims.get(ref, ())]
            fresh = [part.documents[ref] for part in candidates if ref not in part.held]
            fresh += [document for part in candidates for document in part.repeated if document.object.ref == ref]
            fresh.sort(key=_order)
            self.duplicates.pop(ref, None)
            if len(fresh) > 1:
                self.duplicates[ref] = tuple(_duplicate(document, fresh[0]) for document in fresh[1:])
            if not fresh:
                fresh = sorted((part.documents[ref] for part in candidates), key=_order)
            if fresh:
                result[ref] = fresh[0].object
                self.places[ref] = fresh[0].origin
            else:
                result[ref] = None
                self.places.pop(ref, None)
        return result


def _order(document: Document) -> tuple[str, int, int, str]:
    origin = document.origin
    return (origin.file, origin.line, origin.column, origin.source)


def _duplicate(loser: Document, winner: Document) -> Diagnostic:
    ref = loser.object.ref
    reason = f"{ref} is already defined at {winner.origin}, which counts; this one has no effect"
    return Diagnostic(DUPLICATE_OBJECT, reason, loser.origin, ref, (), "remove one of the two, or rename it")
