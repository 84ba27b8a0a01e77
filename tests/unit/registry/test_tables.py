"""Tables: writes are whole or not at all, indexes only rise, waiters wake for what they wait for."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sampan.registry.store import Store, StoreError
from sampan.registry.tables import Table, Tables


def made(store: Store | None = None) -> tuple[Tables, Table[dict[str, Any]]]:
    table: Table[dict[str, Any]] = Table("things", {"colour": lambda row: [row["colour"]]})
    return Tables([table], store), table


def test_a_write_gives_the_next_index_and_its_topics_have_it() -> None:
    tables, table = made()
    before = tables.index
    with tables.write() as write:
        write.put(table, "a", {"colour": "red"})
        write.touch("red")
    assert tables.index == before + 1 == tables.index_of("red")
    assert tables.index_of("blue") == before
    assert [row["colour"] for row in table.group("colour", "red")] == ["red"]


def test_a_write_that_fails_leaves_everything_as_it_was() -> None:
    tables, table = made()
    with tables.write() as write:
        write.put(table, "a", {"colour": "red"})
    index = tables.index

    def breaks() -> None:
        with tables.write() as write:
            write.put(table, "a", {"colour": "blue"})
            write.put(table, "b", {"colour": "blue"})
            write.delete(table, "a")
            write.touch("blue")
            raise LookupError

    with pytest.raises(LookupError):
        breaks()
    assert table.rows == {"a": {"colour": "red"}}
    assert list(table.groups("colour")) == ["red"]
    assert (tables.index, tables.index_of("blue")) == (index, index - 1)


def test_what_the_disk_refuses_is_undone(tmp_path: Path) -> None:
    tables, table = made(store := Store(tmp_path / "registry.db"))
    store.close()

    def write() -> None:
        with tables.write() as one:
            one.put(table, "a", {"colour": "red"})

    with pytest.raises(StoreError, match="cannot be written"):
        write()
    assert table.rows == {}


def test_what_was_written_is_there_at_the_next_start_and_the_index_goes_on(tmp_path: Path) -> None:
    tables, table = made(store := Store(tmp_path / "registry.db"))
    with tables.write() as write:
        write.put(table, "a", {"colour": "red"})
        write.put(table, "b", {"colour": "blue"})
    with tables.write() as write:
        write.delete(table, "b")
    store.close()
    again, found = made(second := Store(tmp_path / "registry.db"))
    assert found.rows == {"a": {"colour": "red"}}
    assert again.index == tables.index == again.index_of("anything")
    second.close()


def test_an_index_that_was_told_never_comes_again(tmp_path: Path) -> None:
    tables, table = made(store := Store(tmp_path / "registry.db"))
    with tables.write() as write:
        write.put(table, "a", {"colour": "red"})
        write.delete(table, "a")
        write.touch("red")
    told = tables.index_of("red")
    store.close()
    again, _ = made(second := Store(tmp_path / "registry.db"))
    assert again.index == told
    second.close()


def test_a_file_that_is_not_ours_is_refused_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    path.write_bytes(b"somebody's letters" * 100)
    with pytest.raises(StoreError, match="left as it is"):
        Store(path)
    assert path.read_bytes() == b"somebody's letters" * 100


def test_a_second_registry_over_the_same_file_is_refused(tmp_path: Path) -> None:
    first = Store(tmp_path / "registry.db")
    first.save(1, [("things", "a", "{}")])
    with pytest.raises(StoreError, match="another registry"):
        Store(tmp_path / "registry.db")
    first.close()


def test_waiters_wake_for_their_topic_and_for_no_other() -> None:
    async def scenario() -> None:
        tables, _ = made()
        red = asyncio.create_task(tables.changed(["red", "green"], 10))
        blue = asyncio.create_task(tables.changed(["blue"], 0.05))
        await asyncio.sleep(0)
        with tables.write() as write:
            write.touch("red")
        assert await red is True
        assert await blue is False
        woken = asyncio.create_task(tables.changed(["prefix"], 10))
        await asyncio.sleep(0)
        with tables.write() as write:
            write.wake("prefix")
        assert await woken is True
        assert tables.index_of("prefix") < tables.index

    asyncio.run(scenario())


def test_topics_of_one_use_are_forgotten_and_no_index_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sampan.registry.tables.MOST_TOPICS", 10)
    tables, _ = made()
    seen: dict[int, int] = {}
    moved = 0
    for number in range(200):
        with tables.write() as write:
            write.touch(number, "busy")
        assert tables.index_of(number) == tables.index_of("busy") == tables.index
        for earlier, index in seen.items():
            now = tables.index_of(earlier)
            assert now >= index, "an index never goes back"
            moved += now > index
            seen[earlier] = now
        seen[number] = tables.index_of(number)
    # Each time half of them is forgotten, and not at each write: or who waits for them would never wait.
    assert moved < 200 * 200 / 4
