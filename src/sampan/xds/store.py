"""The last rows of each scope on disk, for the time when no control plane is there.

One file for a scope, mode 0600, replaced in one step. A file that is torn, foreign or of another version of this format
is as good as none.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from pathlib import Path

from sampan.envoy import wire
from sampan.envoy.table import Row, Table, row, table
from sampan.model.names import slot
from sampan.xds.control import Control, Notice, Retired
from sampan.xds.events import Acked

MAGIC = b"sampan rows 1\n"
SUFFIX = ".rows"
_DIGEST = 16
_SCOPE, _ROW = 1, 2  # fields of the file
_TYPE, _NAME, _BODY = 1, 2, 3  # fields of a row


class NotRowsError(ValueError):
    """A file that cannot be used, with the reason."""


def rows_folder(runtime: Path) -> Path:
    """Where a Sampan with that runtime folder keeps its last rows."""
    return runtime / "rows"


def write(folder: Path, scope: str, rows: Table) -> None:
    """Replaces the scope's file. OSError if the disk does not take it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = _path(folder, scope)
    partial = path.with_suffix(f".{os.getpid()}")
    body = b"".join(_parts(scope, rows))
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(MAGIC + blake2b(body, digest_size=_DIGEST).digest())
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def remove(folder: Path, scope: str) -> None:
    _path(folder, scope).unlink(missing_ok=True)


def read(folder: Path, scope: str) -> Table | None:
    """The scope's last rows, None if there are none. NotRowsError if the file cannot be used."""
    try:
        data = _path(folder, scope).read_bytes()
    except FileNotFoundError:
        return None
    return _parse(data)[1]


def read_all(folder: Path) -> tuple[dict[str, Table], tuple[str, ...]]:
    """Every scope's last rows, and a sentence for each file that cannot be used."""
    found: dict[str, Table] = {}
    problems: list[str] = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            scope, rows = _parse(path.read_bytes())
        except (NotRowsError, OSError) as error:
            problems.append(f"{path}: {error}")
        else:
            found[scope] = rows
    return found, tuple(problems)


def _path(folder: Path, scope: str) -> Path:
    """A readable name; a long one is cut and told apart by its hash (a file name has at most 255 bytes)."""
    name = slot(scope)
    if len(name) > 150:
        name = f"{name[:100]}~{blake2b(scope.encode(), digest_size=8).hexdigest()}"
    return folder / f"{name}{SUFFIX}"


def _parts(scope: str, rows: Table) -> Iterator[bytes]:
    yield wire.text(_SCOPE, scope)
    for item in rows:
        start = wire.text(_TYPE, item.type) + wire.text(_NAME, item.name) + wire.head(_BODY, len(item.body))
        yield wire.head(_ROW, len(start) + len(item.body)) + start
        yield item.body


def _parse(data: bytes) -> tuple[str, Table]:
    body = data[len(MAGIC) + _DIGEST :]
    if not data.startswith(MAGIC):
        raise NotRowsError("not written by this version of Sampan")
    if data[len(MAGIC) : len(MAGIC) + _DIGEST] != blake2b(body, digest_size=_DIGEST).digest():
        raise NotRowsError("damaged: its checksum does not match")
    scope = ""
    rows: list[Row] = []
    for number, _, value in wire.fields(body):
        if number == _SCOPE:
            scope = value.decode()
        elif number == _ROW:
            parts = {found: part for found, _, part in wire.fields(value)}
            rows.append(row(parts[_TYPE].decode(), parts[_NAME].decode(), parts.get(_BODY, b"")))
    return scope, table(rows)


class Keeper:
    """Writes what proxies have confirmed, off the hot path: in a thread, at most once in `interval` seconds, and only
    whole configurations. `problem` is the last write's error, "" if it went well: what the disk did not take is written
    again. `changed` is called when `problem` became another."""

    def __init__(self, folder: Path, control: Control, interval: float = 1.0) -> None:
        self.problem = ""
        self.changed: Callable[[], None] = lambda: None
        self._folder = folder
        self._control = control
        self._interval = interval
        self._noted: set[str] = set()
        self._pending: dict[str, Table | None] = {}
        self._wake = asyncio.Event()
        self._writing = threading.Lock()
        control.observe(self._observe)

    async def run(self) -> None:
        """For ever; what is noted when this is cancelled is written before it ends."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                self._gather()
                failed = {}
                while self._pending:
                    failed.update(await asyncio.to_thread(self._write))
                self._note_failed(failed)
                await asyncio.sleep(self._interval)
        finally:
            self._gather()
            self._write()  # waits for a write that goes on in the thread
            while self._pending:
                self._write()

    def _note_failed(self, failed: Mapping[str, str]) -> None:
        """By scope, what went wrong. They are tried again."""
        if failed:
            self._noted |= failed.keys()
            self._wake.set()
        problem = next(iter(failed.values()), "")
        if problem != self.problem:
            self.problem = problem
            self.changed()

    def _observe(self, notice: Notice) -> None:
        if isinstance(notice.what, Acked | Retired):
            self._noted.add(notice.scope)
            self._wake.set()

    def _gather(self) -> None:
        """What to write now: a Table, or None for a scope that is gone. A scope in a round stays noted."""
        noted, self._noted = self._noted, set()
        for scope in noted:
            if not self._control.revision(scope):
                self._pending[scope] = None
            elif (rows := self._control.good(scope)) is not None:
                self._pending[scope] = rows
            elif self._control.connected(scope):
                self._noted.add(scope)
                self._wake.set()

    def _write(self) -> dict[str, str]:
        """What went wrong, by scope."""
        with self._writing:
            if not self._pending:
                return {}
            scope, rows = self._pending.popitem()
            try:
                if rows is None:
                    remove(self._folder, scope)
                else:
                    write(self._folder, scope, rows)
            except OSError as error:
                return {scope: f"cannot keep the last configuration of {scope}: {error}"}
            return {}
