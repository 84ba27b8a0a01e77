"""One log out of many processes: whole lines, each with the name of who says it.

Every sink (the terminal, a file) has its own thread and its own bounded queue: a terminal that stands still (Ctrl-S) or
a slow disk loses lines, which are counted, and holds up neither the supervisor nor whoever writes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

LONGEST_LINE = 16 * 1024
QUEUE_BYTES = 1 << 20
_BATCH = 64 * 1024


class Sink:
    """Writes lines to a file descriptor, in order, from a thread of its own."""

    def __init__(self, descriptor: int, limit: int = QUEUE_BYTES) -> None:
        self._descriptor = descriptor
        self._limit = limit
        self._lines: deque[bytes] = deque()
        self._size = 0
        self._dropped = 0
        self._closing = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def put(self, line: bytes) -> None:
        """Takes a line with its newline, or drops and counts it if the queue is full. Never blocks."""
        with self._news:
            if self._size + len(line) > self._limit:
                self._dropped += 1
                return
            self._lines.append(line)
            self._size += len(line)
            self._news.notify()

    def close(self, timeout: float) -> None:
        """Writes what is left, for `timeout` seconds at most."""
        with self._news:
            self._closing = True
            self._news.notify()
        self._thread.join(timeout)

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def _write_all(self) -> None:
        while (batch := self._next_batch()) is not None:
            # Nobody reads any more (EPIPE), the terminal is gone (EIO), the disk is full: nothing we could do, or say.
            with contextlib.suppress(OSError):
                _write(self._descriptor, batch)

    def _next_batch(self) -> bytes | None:
        with self._news:
            while not self._lines and not self._dropped and not self._closing:
                self._news.wait()
            batch: list[bytes] = []
            size = 0
            while self._lines and size < _BATCH:
                batch.append(self._lines.popleft())
                size += len(batch[-1])
            self._size -= size
            if self._dropped and not self._lines:
                batch.append(b"supervisor | %d lines were lost here: whoever reads this log is slow\n" % self._dropped)
                self._dropped = 0
            return b"".join(batch) if batch else None


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:  # someone who shares the terminal made it non-blocking
            select.select([], [descriptor], [], 1.0)


def nothing(_: bytes) -> bool:
    return False


class Log:
    """The joined log. `line` is for what the supervisor itself has to say, `stream` for a child's output."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = tuple(sinks)

    def line(self, who: str, text: str) -> None:
        for part in text.splitlines():
            self._put(who.encode(), part.encode(errors="replace"))

    def stream(self, who: str, drops: Callable[[bytes], bool] = nothing) -> LineProtocol:
        """Of a child; lines that `drops` says are not worth telling are left out."""
        return LineProtocol(self, who.encode(), drops)

    def close(self, timeout: float = 1.0) -> None:
        deadline = time.monotonic() + timeout
        for sink in self._sinks:
            sink.close(max(0.0, deadline - time.monotonic()))

    def _put(self, who: bytes, line: bytes) -> None:
        whole = b"%b | %b\n" % (who, line)
        for sink in self._sinks:
            sink.put(whole)


class LineProtocol(asyncio.Protocol):
    """The reading end of a child's pipe, cut into lines. A line longer than LONGEST_LINE comes in pieces."""

    def __init__(self, log: Log, who: bytes, drops: Callable[[bytes], bool]) -> None:
        self._log = log
        self._who = who
        self._drops = drops
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._pieces(line.removesuffix(b"\r"))
        while len(self._rest) > LONGEST_LINE:
            self._log._put(self._who, self._rest[:LONGEST_LINE])
            self._rest = self._rest[LONGEST_LINE:]

    def connection_lost(self, _: Exception | None) -> None:
        if self._rest:
            self._pieces(self._rest)
            self._rest = b""

    def _pieces(self, line: bytes) -> None:
        if self._drops(line):
            return
        for start in range(0, max(1, len(line)), LONGEST_LINE):
            self._log._put(self._who, line[start : start + LONGEST_LINE])
