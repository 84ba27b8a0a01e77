"""The state folder's SQLite file: what must survive a restart and is nobody else's to keep.

Write-ahead log, mode 0600. A file that is torn or not ours is set aside with a message and never overwritten: what it
held (counters, times, last good documents) is worth less than a control plane that does not start.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from sampan.daemon.ledger import Generation, Ledger, Transition
from sampan.model.names import Ref

APPLICATION_ID = 0x53414D50  # "SAMP": tells our file from any other SQLite file
SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE generation (
  api_group TEXT, kind TEXT, namespace TEXT, name TEXT, number INTEGER NOT NULL, text TEXT NOT NULL, spec TEXT NOT NULL,
  PRIMARY KEY (api_group, kind, namespace, name)) WITHOUT ROWID;
CREATE TABLE transition (
  api_group TEXT, kind TEXT, namespace TEXT, name TEXT, place TEXT, type TEXT,
  status TEXT NOT NULL, since TEXT NOT NULL,
  PRIMARY KEY (api_group, kind, namespace, name, place, type)) WITHOUT ROWID;
CREATE TABLE last_good (key TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE refused (proxy TEXT, key TEXT, body BLOB, complaint TEXT NOT NULL,
  PRIMARY KEY (proxy, key)) WITHOUT ROWID;
"""


class Database:
    """Opened once. Its calls block (milliseconds): call them in a thread, one at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notice = ""
        try:
            self._connection = _opened(path)
        except (sqlite3.DatabaseError, ValueError) as error:
            aside = path.with_name(f"{path.name}.unreadable")
            os.replace(path, aside)
            self.notice = f"{path} could not be read ({error}); it was moved to {aside} and a new one begun"
            self._connection = _opened(path)

    def close(self) -> None:
        self._connection.close()

    def load_ledger(self) -> Ledger:
        rows = self._connection.execute("SELECT api_group, kind, namespace, name, number, text, spec FROM generation")
        generations = {Ref(*row[:4]): Generation(*row[4:]) for row in rows}
        rows = self._connection.execute(
            "SELECT api_group, kind, namespace, name, place, type, status, since FROM transition"
        )
        transitions = {(Ref(*row[:4]), row[4], row[5]): Transition(row[6], row[7]) for row in rows}
        return Ledger(generations, transitions)

    def save_ledger(
        self,
        generations: Mapping[Ref, Generation | None],
        transitions: Mapping[tuple[Ref, str, str], Transition | None],
    ) -> None:
        """Writes what changed; None stands for what went."""
        with self._connection as connection:
            for ref, generation in generations.items():
                if generation is None:
                    connection.execute(
                        "DELETE FROM generation WHERE api_group=? AND kind=? AND namespace=? AND name=?", _ref(ref)
                    )
                else:
                    connection.execute(
                        "REPLACE INTO generation VALUES (?,?,?,?,?,?,?)",
                        (*_ref(ref), generation.number, generation.text, generation.spec),
                    )
            for (ref, place, type_), transition in transitions.items():
                if transition is None:
                    connection.execute(
                        "DELETE FROM transition WHERE api_group=? AND kind=? AND namespace=? AND name=?"
                        " AND place=? AND type=?",
                        (*_ref(ref), place, type_),
                    )
                else:
                    connection.execute(
                        "REPLACE INTO transition VALUES (?,?,?,?,?,?,?,?)",
                        (*_ref(ref), place, type_, transition.status, transition.since),
                    )

    def load_last_good(self) -> dict[str, bytes]:
        return dict(self._connection.execute("SELECT key, body FROM last_good"))

    def save_last_good(self, changed: Mapping[str, bytes], removed: Iterable[str]) -> None:
        with self._connection as connection:
            connection.executemany("REPLACE INTO last_good VALUES (?,?)", changed.items())
            connection.executemany("DELETE FROM last_good WHERE key=?", ((key,) for key in removed))

    def load_refused(self) -> dict[str, dict[str, tuple[bytes | None, str]]]:
        """By proxy and key of the part or row: its stand-in and Envoy's complaint."""
        refused: dict[str, dict[str, tuple[bytes | None, str]]] = {}
        for proxy, key, body, complaint in self._connection.execute("SELECT proxy, key, body, complaint FROM refused"):
            refused.setdefault(proxy, {})[key] = (body, complaint)
        return refused

    def save_refused(self, proxy: str, refused: Mapping[str, tuple[bytes | None, str]]) -> None:
        with self._connection as connection:
            connection.execute("DELETE FROM refused WHERE proxy=?", (proxy,))
            connection.executemany(
                "INSERT INTO refused VALUES (?,?,?,?)",
                ((proxy, key, body, complaint) for key, (body, complaint) in refused.items()),
            )


def _ref(ref: Ref) -> tuple[str, str, str, str]:
    return (ref.group, ref.kind, ref.namespace, ref.name)


def _opened(path: Path) -> sqlite3.Connection:
    """Raises sqlite3.DatabaseError or ValueError if the file is torn or not ours."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(path, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        # One fsync a checkpoint, not one a write: a power cut may lose the last seconds, a killed process nothing.
        connection.execute("PRAGMA synchronous=NORMAL")
        _check_schema(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_schema(connection: sqlite3.Connection) -> None:
    with closing(connection.execute("PRAGMA application_id")) as cursor:
        (application_id,) = cursor.fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if not tables:
        with connection:
            connection.executescript(SCHEMA)
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        return
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application_id != APPLICATION_ID or version != SCHEMA_VERSION:
        raise ValueError("not a state file of this version")
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise ValueError(verdict)
