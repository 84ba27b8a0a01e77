"""The registry's SQLite file: every row of every table, and the index of the last write.

Write-ahead log, mode 0600. With `synchronous=NORMAL` a write is in the operating system's hands when `save` returns, so
killing the process loses nothing that was acknowledged; a power cut may cost the last moments (SQLite, "WAL mode").
A file that is torn or not ours is refused and left as it is: what it holds is somebody's registrations.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

APPLICATION_ID = 0x53415245  # "SARE": tells our file from any other SQLite file
SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE row (tab TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (tab, key)) WITHOUT ROWID;
CREATE TABLE written (one INTEGER PRIMARY KEY CHECK (one = 1), at INTEGER NOT NULL);
INSERT INTO written VALUES (1, 0);
"""
PART = 64
Change = tuple[str, str, str | None]
"""(table, key, the row's JSON or None where it is deleted)."""


class StoreError(Exception):
    """The file cannot be opened (the sentence says what to do), or a write did not succeed: nothing of it is kept."""


class Store:
    """Opened by one process at a time: it holds SQLite's exclusive lock for as long as it is open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._connection = _opened(path)
        except (sqlite3.Error, OSError, ValueError) as error:
            raise StoreError(_words(path, error)) from error

    def close(self) -> None:
        self._connection.close()

    def index(self) -> int:
        """Of the last write; 0 for a new file."""
        return int(self._connection.execute("SELECT at FROM written").fetchone()[0])

    def parts(self, table: str) -> Iterator[Iterator[tuple[str, Any]]]:
        """Its keys and rows, some at a time. Raises StoreError for what is no JSON.

        Many rows are parsed in one piece, since the names of fields are then one string for all of them.
        """
        rows = self._connection.execute("SELECT key, body FROM row WHERE tab=? ORDER BY key", (table,))
        while part := rows.fetchmany(PART):
            try:
                bodies = json.loads(f"[{','.join(body for _, body in part)}]")
            except ValueError as error:
                raise StoreError(_words(self.path, error)) from error
            yield zip((key for key, _ in part), bodies, strict=True)

    def save(self, index: int, changes: Sequence[Change]) -> None:
        """All of them, or none. Raises StoreError."""
        gone = [(table, key) for table, key, body in changes if body is None]
        kept = [change for change in changes if change[2] is not None]
        try:
            with self._connection as connection:
                if kept:
                    connection.executemany("REPLACE INTO row VALUES (?,?,?)", kept)
                if gone:
                    connection.executemany("DELETE FROM row WHERE tab=? AND key=?", gone)
                connection.execute("UPDATE written SET at=?", (index,))
        except sqlite3.Error as error:
            raise StoreError(f"{self.path} cannot be written: {error}") from error


def _opened(path: Path) -> sqlite3.Connection:
    made = not path.exists()
    if made:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    connection = sqlite3.connect(path, timeout=1.0)
    try:
        # One owner: two registries over one file would each acknowledge what the other does not know of.
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        _ours(connection)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        # Everybody waits for a checkpoint (5 to 10 ms a thousand pages, measured): not every hundredth write, as with
        # SQLite's 1000 pages, but every five-hundredth.
        connection.execute("PRAGMA wal_autocheckpoint=4000")
    except BaseException:
        connection.close()
        raise
    return connection


def _ours(connection: sqlite3.Connection) -> None:
    """Makes the tables of a new file; raises ValueError for one that is something else."""
    with closing(connection.cursor()) as cursor:
        application = cursor.execute("PRAGMA application_id").fetchone()[0]
        version = cursor.execute("PRAGMA user_version").fetchone()[0]
        if application == 0 and not cursor.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            script = f"PRAGMA application_id={APPLICATION_ID};PRAGMA user_version={SCHEMA_VERSION};"
            cursor.executescript(f"BEGIN;{SCHEMA}{script}COMMIT;")
        elif application != APPLICATION_ID:
            raise ValueError("it is not a registry's file")
        elif version != SCHEMA_VERSION:
            raise ValueError(f"it is of version {version}, and this Sampan writes version {SCHEMA_VERSION}")
        elif cursor.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise ValueError("it is damaged")


def _words(path: Path, error: Exception) -> str:
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        return f"another registry has {path} open: end it, or choose another folder with --state"
    return f"{path} cannot be used ({error}); it is left as it is: move it away, or choose another folder with --state"
