"""Checks that the agent makes itself, against a small server: what each finds, and says."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from .both import Both

pytestmark = pytest.mark.consul


class _Handler(BaseHTTPRequestHandler):
    """`/503/text` answers so; `/echo` what it was asked; `/well` as it is told to be."""

    protocol_version = "HTTP/1.1"
    well = True

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        given = self.rfile.read(length).decode()
        if self.path == "/echo":
            names = ("Accept", "X-Test", "Content-Type", "Host")
            headers = {name: self.headers[name] for name in names if self.headers[name] and name != "Host"}
            code, body = 200, f"{self.command} {given} {sorted(headers.items())}"
        elif self.path == "/well":
            code, body = (200, "well") if self.well else (503, "unwell")
        elif self.path == "/moved":
            code, body = 302, ""
        else:
            _, number, body = self.path.split("/", 2)
            code = int(number)
        self.send_response(code)
        if code == 302:
            self.send_header("Location", "/200/there")
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body.encode())

    do_PUT = do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def place() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def nobody() -> Iterator[str]:
    """A port that refuses."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


CHECKS: dict[str, tuple[str, dict[str, Any]]] = {
    "ok": ("passing", {"HTTP": "http://{place}/200/fine"}),
    "other success": ("passing", {"HTTP": "http://{place}/204/"}),
    "too many": ("warning", {"HTTP": "http://{place}/429/later"}),
    "broken": ("critical", {"HTTP": "http://{place}/503/broken"}),
    "missing": ("critical", {"HTTP": "http://{place}/404/nope"}),
    "moved": ("passing", {"HTTP": "http://{place}/moved"}),
    "method": ("passing", {"HTTP": "http://{place}/echo", "Method": "PUT", "Body": "hello"}),
    "header": ("passing", {"HTTP": "http://{place}/echo", "Header": {"X-Test": ["one"], "Accept": ["text/html"]}}),
    "head": ("passing", {"HTTP": "http://{place}/200/fine", "Method": "HEAD"}),
    "open": ("passing", {"TCP": "{place}"}),
    "closed": ("critical", {"TCP": "{nobody}"}),
    "refused": ("critical", {"HTTP": "http://{nobody}/"}),
}


def of(both: Both, place: str, nobody: str, check: dict[str, Any]) -> dict[str, Any]:
    for server in both.servers:
        server.names |= {"place": place, "nobody": nobody}
    return {"Interval": "1s", "Timeout": "5s", **check}


@pytest.mark.parametrize("name", CHECKS)
def test_what_it_finds(both: Both, place: str, nobody: str, name: str) -> None:
    status, check = CHECKS[name]
    both.put("/v1/agent/service/register", json={"Name": "web", "Check": of(both, place, nobody, check)})
    # The first time within an interval; before that it is critical, and says nothing. The agent's own word: its
    # servers are told of an output alone some minutes later.
    both.until(
        "/v1/agent/checks", lambda found: found["service:web"]["Output"] and found["service:web"]["Status"] == status
    )


def test_a_service_that_turns(both: Both, place: str, nobody: str) -> None:
    """From passing to critical and back: both wake who waits for those that pass."""
    _Handler.well = True
    check = of(both, place, nobody, {"HTTP": "http://{place}/well"})
    both.put("/v1/agent/service/register", json={"Name": "web", "Check": check})
    path = "/v1/health/service/web?passing"
    since = both.until(path, lambda found: found)
    for well in (False, True):
        with both.woken(path, since):
            _Handler.well = well
        since = both.get(path)


def test_thresholds(both: Both, place: str, nobody: str) -> None:
    """Critical only after two failures in a row."""
    more = {"Status": "passing", "FailuresBeforeCritical": 1}
    check = of(both, place, nobody, {"HTTP": "http://{place}/500/broken", **more})
    both.put("/v1/agent/service/register", json={"Name": "web", "Check": check})
    both.until("/v1/health/checks/web", lambda found: found[0]["Status"] == "critical")


def test_deregistered_checks_are_not_made(both: Both, place: str, nobody: str) -> None:
    both.put("/v1/agent/service/register", json={"Name": "web"})
    check = {"ID": "c", "Name": "c", "ServiceID": "web", **of(both, place, nobody, {"TCP": "{nobody}"})}
    both.put("/v1/agent/check/register", json=check)
    both.until("/v1/agent/checks", lambda found: found["c"]["Output"])
    both.put("/v1/agent/check/deregister/c")
    both.get("/v1/health/service/web?passing")
