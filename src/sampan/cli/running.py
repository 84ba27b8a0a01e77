"""Speaks with the supervisor of a running Sampan: is it there, and end it."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from sampan.cli.problem import UserError
from sampan.proxy import paths

POLL_SECONDS = 0.02


class _Lines(Protocol):
    def write(self, data: bytes, /) -> int: ...
    def flush(self) -> None: ...
    def readline(self) -> bytes: ...


def supervisor_pid(folder: Path) -> int | None:
    """The pid of the supervisor at a state folder, None if there is none. Raises UserError if it cannot be asked."""
    with _connected(folder) as stream:
        return None if stream is None else int(_ask(stream, "hello")["pid"])


def stop(folder: Path, timeout: float) -> bool:
    """Asks for a graceful end and waits for it. False if nothing is running. Raises UserError when time is up."""
    deadline = time.monotonic() + timeout
    with _connected(folder) as stream:
        if stream is None:
            return False
        _ask(stream, "down")
    while _locked(folder):
        if time.monotonic() > deadline:
            raise UserError(
                f"the Sampan at {folder} is still draining after {timeout:g} s",
                "it goes on by itself; wait longer with --timeout SECONDS",
            )
        time.sleep(POLL_SECONDS)
    return True


@contextmanager
def _connected(folder: Path) -> Iterator[_Lines | None]:
    """The control socket, or None where nobody listens."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5.0)
        try:
            connection.connect(str(paths.supervisor_socket(folder)))
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            yield None
            return
        except PermissionError as error:
            raise UserError(
                f"the Sampan at {folder} belongs to another user", "run this command as the user who started it"
            ) from error
        with connection.makefile("rwb") as stream:
            yield stream


def _ask(stream: _Lines, operation: str) -> dict[str, int]:
    try:
        stream.write(json.dumps({"op": operation}).encode() + b"\n")
        stream.flush()
        answer = json.loads(stream.readline() or b"{}")
    except (OSError, ValueError) as error:
        raise UserError(f"the supervisor gave no answer: {error}", "its log says why") from error
    if "error" in answer or not answer:
        raise UserError(f"the supervisor gave no answer: {answer.get('error', 'it hung up')}", "its log says why")
    return dict(answer)


def _locked(folder: Path) -> bool:
    """Whether a supervisor holds the folder: it does until its last child is reaped."""
    try:
        lock = os.open(paths.lock_file(folder), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False
