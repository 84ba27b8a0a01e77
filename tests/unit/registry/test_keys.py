"""Keys: what a change does to indexes, to tombstones, and to who waits."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sampan.registry import trees
from sampan.registry.keys import Keys
from sampan.registry.store import Store
from sampan.registry.tables import Tables, Write
from sampan.registry.trees import KeyRow, key_topic, prefix_topic


class Kept:
    """Keys in tables, each change a write of its own."""

    def __init__(self, store: Store | None = None) -> None:
        self.keys = Keys()
        self.tables = Tables([self.keys.table], store)

    def set(self, key: str, value: str = "MQ==", flags: int = 0) -> KeyRow:
        with self.tables.write() as write:
            return self.keys.set(write, key, value, flags)

    def do(self, change: Callable[[Write], object]) -> None:
        with self.tables.write() as write:
            change(write)

    def delete(self, key: str) -> None:
        self.do(lambda write: self.keys.delete(write, key))

    def delete_under(self, prefix: str) -> None:
        self.do(lambda write: self.keys.delete_under(write, prefix))

    def under(self, prefix: str) -> list[str]:
        return [row["Key"] for row in self.keys.under(prefix)]

    def rows(self, prefix: str) -> list[KeyRow]:
        found = list(self.keys.trees.under(self.tables, prefix).rows)
        assert found == self.keys.under(prefix)
        return found

    def index(self, prefix: str) -> int:
        return self.keys.trees.under(self.tables, prefix).index


@pytest.fixture
def kept() -> Kept:
    return Kept()


def test_a_key_is_made_once_and_changed_often(kept: Kept) -> None:
    first = kept.set("a", "MQ==", 7)
    second = kept.set("a", "Mg==", 7)
    assert first == {
        "LockIndex": 0,
        "Key": "a",
        "Flags": 7,
        "Value": "MQ==",
        "CreateIndex": first["ModifyIndex"],
        "ModifyIndex": first["ModifyIndex"],
    }
    assert (second["CreateIndex"], second["ModifyIndex"]) == (first["CreateIndex"], first["ModifyIndex"] + 1)


def test_what_is_the_same_already_is_no_change(kept: Kept) -> None:
    first, index = kept.set("a"), kept.tables.index
    assert kept.set("a") is first
    assert kept.tables.index == index


def test_compare_and_set(kept: Kept) -> None:
    with kept.tables.write() as write:
        assert kept.keys.set_if(write, "a", "MQ==", 0, 5) is None
        assert kept.keys.set_if(write, "a", "MQ==", 0, 0) is not None
    index = kept.keys.under("a")[0]["ModifyIndex"]
    with kept.tables.write() as write:
        assert kept.keys.set_if(write, "a", "Mg==", 0, 0) is None
        assert kept.keys.set_if(write, "a", "Mg==", 0, index + 1) is None
        assert kept.keys.set_if(write, "a", "Mg==", 0, index) is not None
        assert kept.keys.delete_if(write, "a", index) is False
        assert kept.keys.delete_if(write, "a", write.index) is True
        assert kept.keys.delete_if(write, "a", index) is True, "what is not there counts as deleted"


def test_keys_are_found_by_prefix_in_order(kept: Kept) -> None:
    for key in ("b", "a/2", "a/1", "a", "ab", "é", "a/\U0010ffff", "a0"):
        kept.set(key)
    assert kept.under("a/") == ["a/1", "a/2", "a/\U0010ffff"]
    assert kept.under("a/\U0010ffff") == ["a/\U0010ffff"]
    assert kept.under("") == ["a", "a/1", "a/2", "a/\U0010ffff", "a0", "ab", "b", "é"]
    assert kept.under("c") == []


def test_many_deletions_leave_the_order_right(kept: Kept) -> None:
    for number in range(1000):
        kept.set(f"k{number:04}")
    for number in range(0, 1000, 3):
        kept.delete(f"k{number:04}")
    kept.delete_under("k05")
    kept.set("k0003")
    expected = [f"k{n:04}" for n in range(1000) if (n % 3 or n == 3) and not 500 <= n < 600]
    assert kept.under("k") == expected


def test_a_prefix_has_the_index_of_the_last_change_under_it(kept: Kept) -> None:
    kept.set("p/a")
    last = kept.set("p/b")["ModifyIndex"]
    kept.set("other")
    assert kept.index("p/") == last
    kept.delete("p/b")
    gone = kept.tables.index
    kept.set("other", "Mg==")
    assert kept.index("p/") == kept.index("p/b") == gone > last
    assert kept.index("nothing/") == kept.index("") == kept.tables.index
    kept.delete_under("p/")
    assert kept.index("p/") == kept.tables.index
    index = kept.tables.index
    kept.delete_under("p/")
    assert kept.tables.index == index, "there was nothing to delete"


def test_tombstones_are_bounded_and_no_index_falls(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "MOST_TOMBSTONES", 8)
    kept.set("stays/a")
    kept.set("p/stays")
    for number in range(50):
        kept.set(f"p/{number}")
        before = {prefix: kept.index(prefix) for prefix in ("p/", "stays/", "", "q")}
        kept.delete(f"p/{number}")
        assert len(kept.keys.trees.tombstones.rows) <= 8
        assert all(kept.index(prefix) >= index for prefix, index in before.items())
        assert kept.index("p/") > before["p/"]


@pytest.mark.parametrize("seed", range(20))
def test_every_change_raises_the_index_of_its_prefixes_and_none_falls(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is done: who waits for a prefix is told of what changed under it, and of nothing else."""
    monkeypatch.setattr(trees, "MOST_TOMBSTONES", 1 << 30 if seed % 2 else 6)
    kept, dice = Kept(), random.Random(seed)
    names = ["".join(letters) for size in range(1, 5) for letters in itertools.product("a/", repeat=size)]
    prefixes = ["", *names]

    def state() -> dict[str, tuple[int, list[KeyRow]]]:
        return {prefix: (kept.index(prefix), kept.rows(prefix)) for prefix in prefixes}

    before = state()
    for _ in range(200):
        name = dice.choice(names)
        change = dice.choice([kept.set, kept.set, kept.set, kept.delete, kept.delete, kept.delete_under])
        kept.set(name, str(dice.random())) if change == kept.set else change(
            dice.choice(["", name]) if dice.random() < 0.05 else name
        )
        after = state()
        for prefix in prefixes:
            (was, old), (index, new) = before[prefix], after[prefix]
            assert index >= was
            if new != old:
                assert index == kept.tables.index > was
            elif new and seed % 2:
                assert index == was, "nothing changed under it"
        before = after


def test_a_failed_write_takes_its_tombstones_back(kept: Kept) -> None:
    kept.set("a/b")
    index = kept.index("a/")

    def fails() -> None:
        with kept.tables.write() as write:
            kept.keys.delete(write, "a/b")
            kept.keys.set(write, "a/c", None)
            raise LookupError

    with pytest.raises(LookupError):
        fails()
    assert kept.under("a/") == ["a/b"]
    assert kept.index("a/") == index
    assert not kept.keys.trees.tombstones.rows


@contextmanager
def waiting(kept: Kept, *topics: object) -> Iterator[dict[object, asyncio.Task[bool]]]:
    tasks = {topic: asyncio.ensure_future(kept.tables.changed([topic], 60)) for topic in topics}
    try:
        yield tasks
    finally:
        for task in tasks.values():
            task.cancel()


async def woken(tasks: dict[object, asyncio.Task[bool]]) -> set[object]:
    for _ in range(3):
        await asyncio.sleep(0)
    return {topic for topic, task in tasks.items() if task.done()}


ALL = (
    *(key_topic("a/b"), key_topic("a/bc"), key_topic("z")),
    *(prefix_topic(""), prefix_topic("a/"), prefix_topic("a/b"), prefix_topic("a/bc"), prefix_topic("z")),
)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(
            lambda kept: kept.set("a/b", "Mg=="),
            {key_topic("a/b"), prefix_topic(""), prefix_topic("a/"), prefix_topic("a/b")},
            id="set",
        ),
        pytest.param(
            lambda kept: kept.delete("a/b"),
            {key_topic("a/b"), prefix_topic(""), prefix_topic("a/"), prefix_topic("a/b")},
            id="delete",
        ),
        pytest.param(
            lambda kept: kept.set("a/bc"),
            {key_topic("a/bc"), *(prefix_topic(each) for each in ("", "a/", "a/b", "a/bc"))},
            id="one that was waited for",
        ),
        pytest.param(
            lambda kept: kept.delete_under("a"),
            {key_topic("a/b"), prefix_topic(""), prefix_topic("a/"), prefix_topic("a/b")},
            id="delete a tree",
        ),
        pytest.param(lambda kept: kept.set("a/b"), set(), id="nothing new"),
        pytest.param(lambda kept: kept.delete("a/bcd"), set(), id="nothing to delete"),
    ],
)
def test_who_waits_for_it_wakes_and_nobody_else(change: Callable[[Kept], object], expected: set[object]) -> None:
    async def scenario() -> None:
        kept = Kept()
        kept.set("a/b")
        kept.set("y")
        with waiting(kept, *ALL) as tasks:
            await woken(tasks)
            change(kept)
            assert await woken(tasks) == expected

    asyncio.run(scenario())


def test_a_key_of_any_length_wakes_who_waits_for_a_prefix_of_it() -> None:
    """Of half a million letters there are too many prefixes to count up."""
    long = "a" * 500_000
    topics = (prefix_topic(""), prefix_topic("a" * 400), prefix_topic(long), key_topic(long))

    async def scenario() -> None:
        kept = Kept()
        with waiting(kept, *topics, prefix_topic("ab"), prefix_topic(long + "a"), key_topic("a")) as tasks:
            await woken(tasks)
            kept.set(long)
            assert await woken(tasks) == set(topics)
        kept.delete_under("a" * 300)
        assert kept.index(long) == kept.tables.index

    asyncio.run(scenario())


def test_a_thousand_who_wait_for_a_tree_look_once(kept: Kept) -> None:
    for number in range(100):
        kept.set(f"t/{number}")
    first = kept.keys.trees.under(kept.tables, "t/")
    assert kept.keys.trees.under(kept.tables, "t/") is first
    kept.set("other")
    again = kept.keys.trees.under(kept.tables, "t/")
    assert (again.index, again.rows) == (first.index, first.rows)
    for number in range(200):
        kept.index(f"p{number}")
    assert len(kept.keys.trees._remembered) <= trees.MOST_REMEMBERED  # what is kept is bounded; nothing else shows it


def test_keys_survive_a_restart_with_their_indexes(tmp_path: Path) -> None:
    kept = Kept(store := Store(tmp_path / "registry.db"))
    kept.set("p/a")
    row = kept.set("p/\x00é b")
    kept.delete("p/a")
    index = kept.index("p/")
    store.close()
    again = Kept(second := Store(tmp_path / "registry.db"))
    assert again.keys.under("") == [row]
    assert again.index("p/") >= index, "deletions before the restart count"
    assert again.set("p/c")["ModifyIndex"] > index
    second.close()
