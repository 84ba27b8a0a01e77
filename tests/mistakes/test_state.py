"""A state folder that is torn, foreign or full stops no traffic, and is told of."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from ..daemon.conftest import Echo, Sampan, backend, gateway, joined, route, until

pytestmark = pytest.mark.envoy


def documents(sampan: Sampan, echo: Echo) -> str:
    return joined(gateway(sampan.port), backend("one", echo.port), route("good", {"one": 1}))


def text(path: Path) -> None:
    path.write_bytes(b"this is no database\n" * 400)


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE songs (title TEXT)")


def other_columns(path: Path) -> None:
    """Says that it is ours and of this version, and is not."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE generation (number INTEGER)")
        connection.execute(f"PRAGMA application_id={0x53414D50}")
        connection.execute("PRAGMA user_version=2")


def torn_in_the_middle(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(100)
        file.write(os.urandom(8000))
    for name in ("-wal", "-shm"):
        path.with_name(path.name + name).unlink(missing_ok=True)


@pytest.mark.parametrize("harm", [text, foreign, other_columns])
def test_a_database_that_is_not_ours_is_set_aside(sampan: Sampan, one: Echo, harm: Callable[[Path], None]) -> None:
    sampan.write("all.yaml", documents(sampan, one))
    sampan.folder.mkdir(mode=0o700)
    path = sampan.folder / "state.db"
    harm(path)
    before = path.read_bytes()
    sampan.start()
    sampan.until_answer("one")
    told = sampan.until_diagnostic("SMP0602")
    assert told["severity"] == "warning"
    assert str(path) in told["reason"]
    assert path.with_name("state.db.unreadable").read_bytes() == before, "what was there is not lost"
    until(lambda: "SMP0602" in sampan.log, lambda: sampan.log)
    assert "Traceback" not in sampan.log


def test_a_database_that_cannot_be_opened_is_done_without(sampan: Sampan, one: Echo) -> None:
    sampan.write("all.yaml", documents(sampan, one))
    sampan.folder.mkdir(mode=0o700)
    (sampan.folder / "state.db").mkdir()
    sampan.start()
    sampan.until_answer("one")
    assert "cannot be written" in sampan.until_diagnostic("SMP0602")["reason"]
    assert "Traceback" not in sampan.log


def test_a_database_that_was_torn_while_away_is_set_aside(sampan: Sampan, one: Echo) -> None:
    sampan.write("all.yaml", documents(sampan, one))
    sampan.start()
    sampan.until_answer("one")
    assert sampan.stop() == 0
    torn_in_the_middle(sampan.folder / "state.db")
    sampan.start()
    sampan.until_answer("one")
    sampan.until_diagnostic("SMP0602")
    assert "Traceback" not in sampan.log


@pytest.mark.parametrize(
    "harm", [lambda data: data[: len(data) // 2], lambda data: b"\0" * len(data), lambda data: b""]
)
def test_torn_rows_are_as_good_as_none(sampan: Sampan, one: Echo, harm: Callable[[bytes], bytes]) -> None:
    sampan.write("all.yaml", documents(sampan, one))
    sampan.start()
    sampan.until_answer("one")
    path = sampan.folder / "rows" / "default~2fshop.rows"
    until(path.exists)
    assert sampan.stop() == 0
    good = path.read_bytes()
    path.write_bytes(harm(good))
    sampan.start()
    sampan.until_answer("one")
    until(lambda: path.read_bytes() == good, lambda: "not written again")
    assert "Traceback" not in sampan.log


@pytest.fixture
def small(sampan: Sampan) -> Iterator[Path]:
    """The state folder on a disk of its own, of 400 KiB."""
    sampan.folder.mkdir(mode=0o700)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k,mode=700", "tmpfs", str(sampan.folder)], check=False
    )
    if done.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield sampan.folder
    finally:
        if sampan.process is not None and sampan.process.poll() is None:
            sampan.stop()
        subprocess.run(["umount", str(sampan.folder)], check=True)


def fill(folder: Path) -> Path:
    path = folder / "ballast"
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    return path


@pytest.mark.root
def test_a_full_disk_stops_nothing_and_is_told(small: Path, sampan: Sampan, one: Echo) -> None:
    sampan.write("all.yaml", documents(sampan, one))
    sampan.start()
    sampan.until_answer("one")
    ballast = fill(small)
    kept = small / "rows" / "default~2fshop.rows"
    with sampan.load() as seen:
        many = [route(f"r{number}", {"one": 1}, path=f"/{number}") for number in range(100)]
        sampan.write("more.yaml", joined(*many))
        sampan.until_answer("one", "/99")
        until(lambda: "warning: the state in" in sampan.log, lambda: sampan.log)
        until(lambda: "warning: cannot keep the last configuration" in sampan.log, lambda: sampan.log)
        ballast.unlink()
        until(lambda: kept.exists() and b"/r99" in kept.read_bytes(), lambda: sampan.log)
    assert set(seen) == {200}
    assert "Traceback" not in sampan.log


def accepted_since(sampan: Sampan) -> str:
    (found,) = sampan.api.objects("Gateway", "default", "shop")
    since = {item["type"]: item["lastTransitionTime"] for item in found["status"]["conditions"]}
    return str(since["Accepted"])


@pytest.mark.root
def test_on_a_disk_that_is_full_from_the_start_it_serves(small: Path, sampan: Sampan, one: Echo) -> None:
    """What was there before is enough to go on."""
    sampan.write("all.yaml", documents(sampan, one))
    sampan.start()
    sampan.until_answer("one")
    sampan.until_ready()
    until(lambda: accepted_since(sampan))
    assert sampan.stop() == 0
    since = "2020-01-01T00:00:00Z"  # not when this test runs: only who reads the file can say so
    with closing(sqlite3.connect(small / "state.db")) as connection, connection:
        connection.execute("UPDATE transition SET since = ?", (since,))
    fill(small)
    sampan.start()
    sampan.until_answer("one")
    assert "cannot be written" in sampan.until_diagnostic("SMP0602")["reason"]
    assert not list(small.glob("*.unreadable")), "the file is whole"
    until(lambda: accepted_since(sampan) == since, lambda: (since, accepted_since(sampan)))
    sampan.write("more.yaml", route("more", {"one": 1}, path="/more"))
    sampan.until_answer("one", "/more")
    assert "Traceback" not in sampan.log
