"""A small API on a real Unix socket, and the command line in this process."""

from __future__ import annotations

import json
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner, Result

from sampan.cli.main import app


@dataclass
class FakeApi:
    """Answers each path with what the test put there, 404 otherwise; `asked` keeps the targets."""

    folder: Path
    answers: dict[str, Any] = field(default_factory=dict)
    failures: dict[str, tuple[int, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    api: FakeApi


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        api, path = self.server.api, urlsplit(self.path).path
        api.asked.append(self.path)
        status, answer = 200, api.answers.get(path)
        if path in api.failures:
            status, answer = api.failures[path]
        elif answer is None:
            status, answer = 404, {"error": f"there is no {path}", "hint": "look again"}
        elif callable(answer):
            answer = answer()
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass

    def address_string(self) -> str:
        return "unix"


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short: pytest's own temporary folders are too long for sockets on some systems."""
    with tempfile.TemporaryDirectory(prefix="sampan-") as name:
        yield Path(name)


@pytest.fixture
def fake_api(folder: Path) -> Iterator[FakeApi]:
    api = FakeApi(folder)
    with _Server(str(folder / "api.sock"), _Handler) as server:
        server.api = api
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield api
        server.shutdown()
        thread.join()


@pytest.fixture
def sampan(folder: Path) -> Any:
    """Runs `sampan ARGUMENTS` with the test's own state folder."""

    def run(*arguments: str, **environment: str) -> Result:
        return CliRunner().invoke(
            app, list(arguments), env={"SAMPAN_STATE": str(folder), "TERM": "dumb", **environment}
        )

    return run
