"""The last rows on disk: what comes back, and what does not."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from sampan.envoy.table import Table, row, table
from sampan.envoy.types import CLUSTER, ENDPOINT, SECRET
from sampan.xds import store

ROWS = table([row(CLUSTER, "a", b"\x0a\x01a"), row(ENDPOINT, "a", b""), row(SECRET, "s/1", b"x" * 300)])


def test_rows_come_back_with_their_versions(tmp_path: Path) -> None:
    store.write(tmp_path / "rows", "gateway/default/shop", ROWS)
    found = store.read(tmp_path / "rows", "gateway/default/shop")
    assert found is not None
    assert found.rows == ROWS.rows
    assert store.read(tmp_path / "rows", "gateway/default/other") is None


def test_only_the_user_can_read_them(tmp_path: Path) -> None:
    store.write(tmp_path / "rows", "a", ROWS)
    (path,) = (tmp_path / "rows").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_scope_cannot_name_a_place_outside_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    for scope in ("../../outside", "/etc/passwd", "a" * 400, "a" * 401, ".", "ü/*"):
        store.write(folder, scope, ROWS)
        assert store.read(folder, scope) is not None
    assert [path.parent for path in tmp_path.rglob("*.rows")] == [folder] * 6
    tables, problems = store.read_all(folder)
    assert len(tables) == 6
    assert problems == ()


@pytest.mark.parametrize("cut", [0, 5, 20, 40, -1])
def test_a_torn_file_is_as_good_as_none_and_harms_no_other(tmp_path: Path, cut: int) -> None:
    store.write(tmp_path, "a", ROWS)
    store.write(tmp_path, "b", ROWS)
    path = tmp_path / "a.rows"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(store.NotRowsError):
        store.read(tmp_path, "a")
    tables, (problem,) = store.read_all(tmp_path)
    assert [*tables] == ["b"]
    assert str(path) in problem


def test_a_foreign_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.rows").write_bytes(b"\x00" * 200)
    _, (problem,) = store.read_all(tmp_path)
    assert "not written by this version" in problem


def test_a_write_that_fails_leaves_the_old_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write(tmp_path, "a", ROWS)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.write(tmp_path, "a", Table())
    found = store.read(tmp_path, "a")
    assert found is not None
    assert len(found) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["a.rows"]


def test_what_is_removed_is_gone(tmp_path: Path) -> None:
    store.write(tmp_path, "a", ROWS)
    store.remove(tmp_path, "a")
    store.remove(tmp_path, "a")
    assert store.read_all(tmp_path) == ({}, ())
