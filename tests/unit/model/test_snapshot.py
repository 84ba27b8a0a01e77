"""The next Snapshot: what did not change is the same object, which is what everything above relies on."""

from __future__ import annotations

from collections.abc import Iterable

from sampan.model.meta import Meta, Object
from sampan.model.names import Ref
from sampan.model.snapshot import IndexKey, Snapshot, difference


def item(kind: str, name: str, spec: str = "") -> Object:
    return Object(Ref("", kind, "default", name), Meta(), spec)


def by_spec(found: Object) -> Iterable[IndexKey]:
    return (("spec", found.spec),) if found.spec else ()


def test_buckets_are_in_order_and_untouched_ones_stay_the_same_object() -> None:
    names = ["m", "a", "z", "b"]
    first = Snapshot(by_spec).with_changes({(found := item("A", name, "x")).ref: found for name in names})
    first = first.with_changes({(other := item("B", "only", "y")).ref: other})
    assert [found.ref.name for found in first.of_kind("", "A")] == ["a", "b", "m", "z"]
    second = first.with_changes({(more := item("A", "c", "x")).ref: more})
    assert [found.ref.name for found in second.bucket(("spec", "x"))] == ["a", "b", "c", "m", "z"]
    assert second.of_kind("", "B") is first.of_kind("", "B")
    assert second.bucket(("spec", "y")) is first.bucket(("spec", "y"))
    assert [found.ref.name for found in first.of_kind("", "A")] == ["a", "b", "m", "z"], "the old one is as it was"


def test_an_object_moves_between_buckets_and_empty_ones_vanish() -> None:
    old, new = item("A", "a", "x"), item("A", "a", "y")
    first = Snapshot(by_spec).with_changes({old.ref: old})
    second = first.with_changes({new.ref: new})
    assert second.bucket(("spec", "x")) == ()
    assert second.bucket(("spec", "y")) == (new,)
    third = second.with_changes({new.ref: None})
    assert third.objects == {}
    assert third.index == {}


def test_no_change_gives_the_same_snapshot() -> None:
    found = item("A", "a")
    snapshot = Snapshot().with_changes({found.ref: found})
    assert snapshot.with_changes({found.ref: found}) is snapshot
    assert snapshot.with_changes({Ref("", "A", "default", "gone"): None}) is snapshot


def test_a_difference_is_by_identity() -> None:
    a, b, again = item("A", "a"), item("A", "b"), item("A", "a")
    old = Snapshot().with_changes({a.ref: a, b.ref: b})
    new = old.with_changes({a.ref: again, b.ref: None, (c := item("A", "c")).ref: c})
    assert difference(old, new).objects == {a.ref: (a, again), b.ref: (b, None), c.ref: (None, c)}
    assert not difference(new, new)
