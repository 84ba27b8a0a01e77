"""The state folder's SQLite file: what must survive a restart and is nobody else's to keep.

Write-ahead log, mode 0600. A file that is torn or not ours is set aside with a message and never overwritten: what it
held (counters, times, last good documents) is worth less than a control plane that does not start.
"""

from __future__ import annotations

import json
import os
import sqlite3
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from sampan.daemon.ledger import Generation, Ledger, Transition
from sampan.daemon.refusals import Refusal
from sampan.model.names import Ref
from sampan.sources.last_good import Key, LastGood, Saved

APPLICATION_ID = 0x53414D50  # "SAMP": tells our file from any other SQLite file
SCHEMA_VERSION = 3
SCHEMA = """
CREATE TABLE generation (
  api_group TEXT, kind TEXT, namespace TEXT, name TEXT, number INTEGER NOT NULL, text TEXT NOT NULL, spec TEXT NOT NULL,
  PRIMARY KEY (api_group, kind, namespace, name)) WITHOUT ROWID;
CREATE TABLE transition (
  api_group TEXT, kind TEXT, namespace TEXT, name TEXT, place TEXT, type TEXT,
  status TEXT NOT NULL, since TEXT NOT NULL,
  PRIMARY KEY (api_group, kind, namespace, name, place, type)) WITHOUT ROWID;
CREATE TABLE last_good (source TEXT, key TEXT, body BLOB NOT NULL, PRIMARY KEY (source, key)) WITHOUT ROWID;
CREATE TABLE refused (
  proxy TEXT, key TEXT, type TEXT NOT NULL, name TEXT NOT NULL, complaint TEXT NOT NULL,
  stand_in BLOB, since TEXT NOT NULL,
  PRIMARY KEY (proxy, key)) WITHOUT ROWID;
CREATE TABLE registered (source TEXT, key TEXT, body BLOB NOT NULL, PRIMARY KEY (source, key)) WITHOUT ROWID;
"""


class Database:
    """Opened once. Its calls block (milliseconds): call them in a thread, one at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notice = ""
        try:
            self._connection = self._opened()
        except (sqlite3.OperationalError, OSError) as error:
            # Not the file's fault: a full disk, a missing permission. What the file holds is kept, and read if it can.
            self.notice = f"{path} cannot be written ({error}): what is counted and kept is lost at the next start"
            self._connection = _in_memory(path)

    def _opened(self) -> sqlite3.Connection:
        try:
            return _opened(self.path)
        except sqlite3.OperationalError:
            raise
        except (sqlite3.DatabaseError, ValueError) as error:
            aside = self.path.with_name(f"{self.path.name}.unreadable")
            os.replace(self.path, aside)
            for tail in ("-wal", "-shm"):  # SQLite would play another file's log into the new one
                self.path.with_name(self.path.name + tail).unlink(missing_ok=True)
            self.notice = f"{self.path} could not be read ({error}); it was moved to {aside} and a new one begun"
            return _opened(self.path)

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

    def load_last_good(self) -> LastGood:
        """A row that an older version wrote in another way counts as none."""
        saved: dict[Key, tuple[Saved, ...]] = {}
        for source, key, body in self._connection.execute("SELECT source, key, body FROM last_good"):
            with suppress(ValueError, KeyError, TypeError):
                saved[source, key] = tuple(_saved(item) for item in json.loads(body))
        return LastGood(saved)

    def save_last_good(self, changed: Mapping[Key, tuple[Saved, ...]]) -> None:
        """What `last_good.difference` gives: () deletes."""
        with self._connection as connection:
            for (source, key), saved in changed.items():
                if saved:
                    body = json.dumps([_plain(item) for item in saved]).encode()
                    connection.execute("REPLACE INTO last_good VALUES (?,?,?)", (source, key, body))
                else:
                    connection.execute("DELETE FROM last_good WHERE source=? AND key=?", (source, key))

    def load_refused(self) -> dict[str, tuple[Refusal, ...]]:
        """By proxy."""
        found: dict[str, list[Refusal]] = {}
        for proxy, *values in self._connection.execute(
            "SELECT proxy, key, type, name, complaint, stand_in, since FROM refused ORDER BY proxy, key"
        ):
            found.setdefault(proxy, []).append(Refusal(*values))
        return {proxy: tuple(refusals) for proxy, refusals in found.items()}

    def save_refused(self, proxy: str, refused: Iterable[Refusal]) -> None:
        """Everything that one proxy refuses."""
        rows = ((proxy, item.key, item.type, item.name, item.complaint, item.stand_in, item.since) for item in refused)
        with self._connection as connection:
            connection.execute("DELETE FROM refused WHERE proxy=?", (proxy,))
            connection.executemany("INSERT INTO refused VALUES (?,?,?,?,?,?,?)", rows)

    def load_registered(self, source: str) -> dict[str, bytes]:
        """What a registry said last, by service."""
        return dict(self._connection.execute("SELECT key, body FROM registered WHERE source=?", (source,)))

    def save_registered(self, source: str, changed: Mapping[str, bytes | None]) -> None:
        """None deletes."""
        with self._connection as connection:
            for key, body in changed.items():
                if body is None:
                    connection.execute("DELETE FROM registered WHERE source=? AND key=?", (source, key))
                else:
                    connection.execute("REPLACE INTO registered VALUES (?,?,?)", (source, key, body))


def _plain(item: Saved) -> dict[str, Any]:
    files = [[name, b64encode(content).decode()] for name, content in item.files]
    return {"ref": _ref(item.ref), "text": item.text, "line": item.line, "files": files}


def _saved(plain: Mapping[str, Any]) -> Saved:
    files = tuple((name, b64decode(content)) for name, content in plain["files"])
    return Saved(Ref(*plain["ref"]), plain["text"], plain["line"], files)


def _ref(ref: Ref) -> tuple[str, str, str, str]:
    return (ref.group, ref.kind, ref.namespace, ref.name)


def _opened(path: Path) -> sqlite3.Connection:
    """Raises ValueError or a sqlite3.DatabaseError that is no OperationalError if the file is torn or not ours."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(path, check_same_thread=False)
    try:
        empty = not _schema(connection)
        if not empty:
            _check_schema(connection)  # before anything is written into it
        connection.execute("PRAGMA journal_mode=WAL")
        # One fsync a checkpoint, not one a write: a power cut may lose the last seconds, a killed process nothing.
        connection.execute("PRAGMA synchronous=NORMAL")
        if empty:
            _make_schema(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _in_memory(path: Path) -> sqlite3.Connection:
    """With what the file holds, if it can be read without writing beside it."""
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    with suppress(sqlite3.Error, ValueError):
        # No lock and no log are needed: the supervisor's lock keeps any second control plane away.
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)) as file:
            _check_schema(file)
            file.backup(connection)
        return connection
    _make_schema(connection)
    return connection


def _make_schema(connection: sqlite3.Connection) -> None:
    # One transaction with its marks: a file that was killed in between is either empty or whole.
    marks = f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={SCHEMA_VERSION};"
    connection.executescript(f"BEGIN; {SCHEMA} {marks} COMMIT;")


def _schema(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    return connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()


def _check_schema(connection: sqlite3.Connection) -> None:
    """ValueError unless it is whole, and made by this version."""
    with closing(sqlite3.connect(":memory:")) as model:
        _make_schema(model)
        expected = _schema(model)
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if (application_id, version) != (APPLICATION_ID, SCHEMA_VERSION) or _schema(connection) != expected:
        raise ValueError("not a state file of this version")
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise ValueError(verdict)
