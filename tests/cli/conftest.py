"""The command line as users run it: processes, a state folder of their own, a small service to route to."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-m", "sampan.cli"]
DEADLINE_SECONDS = 20.0


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, as sockets go into it."""
    with tempfile.TemporaryDirectory(prefix="sampan-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def demo_ports() -> list[str]:
    """`--port` first."""
    registry = ["--registry", "127.0.0.1:0", "--registry-dns", "127.0.0.1:0"]
    return ["--port", str(free_port()), "--tcp-port", str(free_port()), *registry]


def until(what: Callable[[], Any], said: Callable[[], str] = str) -> Any:
    """What `what` gives once it is true. Fails after DEADLINE_SECONDS with what `said` says."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {DEADLINE_SECONDS} s: {said()}")


class Sampan:
    """`sampan` with a state folder."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self._environment = {**os.environ, "SAMPAN_STATE": str(state), "TERM": "dumb"}

    def __call__(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments], env=self._environment, capture_output=True, text=True, timeout=timeout, check=False
        )

    @contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """In the background, with its log in `state.log`; ended and reaped at the end."""
        with self.log.open("wb") as log:
            process = subprocess.Popen([*COMMAND, *arguments], env=self._environment, stdout=log, stderr=log)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(20)
                finally:
                    process.kill()
                    process.wait()

    @property
    def log(self) -> Path:
        return self.state.with_suffix(".log")


@pytest.fixture
def sampan(folder: Path) -> Sampan:
    return Sampan(folder / "state")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = f"hello {self.path}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def service() -> Iterator[int]:
    """A port where HTTP is answered."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()
