"""What `bench.observed` tells: when something was published, and when Envoy had confirmed it."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from bench.processes import ProcessFailedError, wait_until


@dataclass(frozen=True, slots=True)
class Ack:
    """Moments of `time.monotonic()`; `put` that of the memory source's latest event, 0 if it had none."""

    revision: int
    put: float
    published: float
    settled: float


class Acks:
    """The receiving end, and the way to the memory source."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))

    def close(self) -> None:
        self._socket.close()
        self.path.unlink(missing_ok=True)
        self._inbox.unlink(missing_ok=True)

    @property
    def _inbox(self) -> Path:
        return self.path.with_name(f"{self.path.name}.in")

    def wait_for_inbox(self, seconds: float = 30.0) -> None:
        wait_until(self._inbox.exists, seconds, "the memory source")

    def put(self, text: str) -> None:
        """Hands documents to the memory source, in the place of those before."""
        self._socket.sendto(text.encode(), str(self._inbox))

    def after(self, moment: float, seconds: float = 30.0) -> Ack:
        """The first that was published after `moment`. Raises ProcessFailedError if none comes in time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                found = Ack(**json.loads(self._socket.recv(4096)))
            except TimeoutError:
                break
            if found.published >= moment:
                return found
        raise ProcessFailedError(f"nothing was published and confirmed within {seconds:g} s")

    def drain(self) -> int:
        """Throws away what has come so far; how many that were."""
        self._socket.setblocking(False)
        count = 0
        try:
            while True:
                self._socket.recv(4096)
                count += 1
        except BlockingIOError:
            return count

    def quiet(self, seconds: float = 0.5, limit: float = 30.0) -> None:
        """Until nothing has come for a while: what was started is done."""
        deadline = time.monotonic() + limit
        self._socket.settimeout(seconds)
        while time.monotonic() < deadline:
            try:
                self._socket.recv(4096)
            except TimeoutError:
                return
