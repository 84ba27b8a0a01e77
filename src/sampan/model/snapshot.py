"""All objects of all sources at one moment, with the index by which resolving finds them.

A Snapshot is never changed: `with_changes` makes the next one, and every bucket of the index that no changed object
touches is the *same tuple* in both. Resolving compares buckets by identity to know what it may reuse.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter

from sampan.model.meta import Object
from sampan.model.names import Ref

IndexKey = Hashable
IndexFunction = Callable[[Object], Iterable[IndexKey]]


def no_index(_: Object) -> Iterable[IndexKey]:
    return ()


@dataclass(frozen=True, slots=True)
class Change:
    """What differs between two Snapshots: each Ref with its old and new Object (None where there is none)."""

    objects: Mapping[Ref, tuple[Object | None, Object | None]]

    def __bool__(self) -> bool:
        return bool(self.objects)


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """`index_of` says under which keys an object is found besides its Ref (a route by its parents, a policy by its
    targets, a slice by its Service); it belongs to the configuration language and is handed in."""

    index_of: IndexFunction = no_index
    objects: Mapping[Ref, Object] = field(default_factory=dict)
    index: Mapping[IndexKey, tuple[Object, ...]] = field(default_factory=dict)

    def get(self, ref: Ref) -> Object | None:
        return self.objects.get(ref)

    def bucket(self, key: IndexKey) -> tuple[Object, ...]:
        """Objects under an index key, by Ref order."""
        return self.index.get(key, ())

    def of_kind(self, group: str, kind: str) -> tuple[Object, ...]:
        """All objects of a kind, by Ref order."""
        return self.index.get((group, kind), ())

    def with_changes(self, changes: Mapping[Ref, Object | None]) -> Snapshot:
        """The next Snapshot: each Ref set to its new Object, or removed where None. Unchanged Objects cost nothing
        beyond a copy of two dictionaries of pointers."""
        objects = dict(self.objects)
        touched: dict[IndexKey, dict[Ref, Object | None]] = {}
        for ref, new in changes.items():
            old = objects.get(ref)
            if old is new:
                continue
            if old is not None:
                for key in self._keys(old):
                    touched.setdefault(key, {})[ref] = None
            if new is None:
                del objects[ref]
            else:
                objects[ref] = new
                for key in self._keys(new):
                    touched.setdefault(key, {})[ref] = new
        if not touched:
            return self
        index = dict(self.index)
        for key, members in touched.items():
            bucket = _rebuilt(index.get(key, ()), members)
            if bucket:
                index[key] = bucket
            else:
                index.pop(key, None)
        return Snapshot(self.index_of, objects, index)

    def _keys(self, item: Object) -> Iterator[IndexKey]:
        yield (item.ref.group, item.ref.kind)
        yield from self.index_of(item)


_by_ref = attrgetter("ref")

# Beyond this many changes in one bucket, sorting all of it is cheaper than finding each place by bisection.
_MANY = 16


def _rebuilt(bucket: tuple[Object, ...], members: Mapping[Ref, Object | None]) -> tuple[Object, ...]:
    if len(members) > _MANY:
        kept = [item for item in bucket if item.ref not in members]
        kept.extend(item for item in members.values() if item is not None)
        return tuple(sorted(kept, key=_by_ref))
    items = list(bucket)
    for ref, item in members.items():
        place = bisect_left(items, ref, key=_by_ref)
        present = place < len(items) and items[place].ref == ref
        items[place : place + present] = () if item is None else (item,)
    return tuple(items)


def difference(old: Snapshot, new: Snapshot) -> Change:
    """What changed between two Snapshots, by identity of the Objects."""
    changed: dict[Ref, tuple[Object | None, Object | None]] = {}
    added = 0
    before = old.objects.get
    for ref, item in new.objects.items():
        earlier = before(ref)
        if earlier is not item:
            changed[ref] = (earlier, item)
            added += earlier is None
    if len(new.objects) - added != len(old.objects):
        for ref, item in old.objects.items():
            if ref not in new.objects:
                changed[ref] = (item, None)
    return Change(changed)
