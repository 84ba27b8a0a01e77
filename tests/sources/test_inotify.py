"""What Linux tells of folders that come, go, move and are linked to, and what happens when it loses something."""

from __future__ import annotations

import os
import queue
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("inotify is Linux's", allow_module_level=True)

from sampan.sources.files.inotify import Watch

DEADLINE = 10.0


class Told:
    """Watches a folder with all below it, and collects what is told."""

    def __init__(self, path: Path) -> None:
        self.told: queue.Queue[set[str] | None] = queue.Queue()
        self.path = path
        self.watch = Watch([str(path)], True, self.told.put)

    def until(self, name: str) -> None:
        end = time.monotonic() + DEADLINE
        while str(self.path / name) not in (self.told.get(timeout=end - time.monotonic()) or ()):
            pass

    def names(self, last: str) -> set[str]:
        """All that is told until `last` is written."""
        (self.path / last).write_text("")
        found: set[str] = set()
        while str(self.path / last) not in found:
            found |= self.told.get(timeout=DEADLINE) or set()
        return {os.path.relpath(path, self.path) for path in found} - {last}


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    (tmp_path / "docs" / "a" / "b").mkdir(parents=True)
    made = Told(tmp_path / "docs")
    yield made
    made.watch.close()


def test_below_a_new_folder(told: Told) -> None:
    (told.path / "x" / "y").mkdir(parents=True)
    told.until("x")
    (told.path / "x" / "y" / "z").mkdir()
    told.until("x/y/z")
    (told.path / "x" / "y" / "z" / "f").write_text("")
    told.until("x/y/z/f")


def test_a_moved_folder_tells_by_its_new_name(told: Told) -> None:
    (told.path / "a").rename(told.path / "c")
    told.until("c")
    (told.path / "c" / "b" / "f").write_text("")
    assert told.names("end") >= {"c/b/f"}


def test_a_folder_moved_out_tells_nothing(told: Told, tmp_path: Path) -> None:
    (told.path / "a").rename(tmp_path / "away")
    told.until("a")
    (tmp_path / "away" / "b" / "f").write_text("")
    assert told.names("end") == set()


def test_a_removed_folder_that_comes_back(told: Told) -> None:
    shutil.rmtree(told.path / "a")
    told.until("a")
    (told.path / "a" / "b").mkdir(parents=True)
    told.until("a")
    (told.path / "a" / "b" / "f").write_text("")
    told.until("a/b/f")


def test_a_link_to_a_folder_that_is_turned(told: Told, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (told.path / "current").symlink_to(tmp_path / "one")
    told.until("current")
    (told.path / "next").symlink_to(tmp_path / "two")
    (told.path / "next").rename(told.path / "current")
    told.until("current")
    (tmp_path / "two" / "f").write_text("")
    told.until("current/f")
    (tmp_path / "one" / "f").write_text("")
    assert told.names("end") == set()


def test_a_folder_that_was_known_by_a_link_is_known_by_its_own_name_when_the_link_goes(
    told: Told, tmp_path: Path
) -> None:
    (tmp_path / "x" / "y").mkdir(parents=True)
    (told.path / "link").symlink_to(tmp_path / "x")
    told.until("link")
    (tmp_path / "x").rename(told.path / "x")
    told.until("x")
    (told.path / "link").unlink()
    told.until("link")
    (told.path / "x" / "y" / "f").write_text("")
    told.until("x/y/f")


def test_a_link_to_itself_leaves_its_neighbours_alone(tmp_path: Path) -> None:
    (tmp_path / "docs" / "a").mkdir(parents=True)
    (tmp_path / "docs" / "loop").symlink_to("loop")
    made = Told(tmp_path / "docs")
    try:
        (tmp_path / "docs" / "a" / "f").write_text("")
        made.until("a/f")
    finally:
        made.watch.close()


def test_links_in_a_circle(told: Told) -> None:
    (told.path / "a" / "up").symlink_to(told.path)
    told.until("a/up")
    (told.path / "a" / "b" / "f").write_text("")
    told.until("a/b/f")


def test_lost_notices_are_said(tmp_path: Path) -> None:
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    told: queue.Queue[set[str] | None] = queue.Queue()
    go_on = threading.Event()

    def tell(paths: set[str] | None) -> None:
        told.put(paths)
        go_on.wait(DEADLINE)

    watch = Watch([str(tmp_path)], True, tell)
    try:
        (tmp_path / "first").touch()
        told.get(timeout=DEADLINE)
        for number in range(most // 2 + 1):  # two names each, so that no event is like the one before it
            os.rename(tmp_path / ("first" if number % 2 == 0 else "last"), tmp_path / ("last", "first")[number % 2])
        go_on.set()
        while told.get(timeout=DEADLINE) is not None:
            pass
    finally:
        watch.close()


def test_nothing_happens_at_no_cost(told: Told) -> None:
    before = time.process_time()
    with pytest.raises(queue.Empty):
        told.told.get(timeout=0.5)
    assert time.process_time() - before < 0.01
