"""A port of the registry that somebody else has."""

from __future__ import annotations

import errno
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from sampan.cli import occupied
from sampan.cli.discovery import Discovery
from sampan.cli.problem import UserError

CONSUL = {"Config": {"Datacenter": "paris", "Version": "1.21.0", "NodeName": "one"}}


@contextmanager
def answering(body: bytes, status: int = 200, server: str = "") -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def version_string(self) -> str:
            return server

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found.server_port
        found.shutdown()
        thread.join()


def refusal(registry: str, dns: str = "") -> UserError:
    with pytest.raises(UserError) as caught:
        occupied.refuse_taken(Discovery(registry, dns))
    return caught.value


def test_free_ports_are_fine() -> None:
    occupied.refuse_taken(Discovery("127.0.0.1:0", "127.0.0.1:0"))
    occupied.refuse_taken(Discovery("[::1]:0") if socket.has_ipv6 else Discovery())
    occupied.refuse_taken(Discovery(consul="http://127.0.0.1:1"))


@pytest.mark.parametrize(
    ("server", "who"),
    [
        ("", "a Consul agent, version 1.21.0 (datacentre paris)"),
        ("Sampan", "the registry of another Sampan (datacentre paris)"),
    ],
)
def test_who_speaks_as_consul_can_be_gone_by(server: str, who: str) -> None:
    with answering(json.dumps(CONSUL).encode(), server=server) as port:
        error = refusal(f"127.0.0.1:{port}")
    assert error.reason == f"127.0.0.1:{port}, where the registry is to listen, is taken by {who}"
    assert error.hint == (
        f"`--consul http://127.0.0.1:{port}` goes by that one, "
        "`--registry 127.0.0.1:PORT` starts it at another port, `--registry off` starts none"
    )


def test_one_that_wants_a_token() -> None:
    with answering(b"Permission denied", 403) as port:
        error = refusal(f"127.0.0.1:{port}")
    assert "may be a Consul with tokens" in error.reason
    assert "--consul" in error.hint


@pytest.mark.parametrize("body", [b"hello", b"{}", b"[]", b'{"Config": null}', b"\xff"])
def test_another_program_is_named_and_not_proposed(body: bytes) -> None:
    with answering(body) as port:
        error = refusal(f"127.0.0.1:{port}")
    assert f"(pid {os.getpid()})" in error.reason
    assert error.hint == "`--registry 127.0.0.1:PORT` starts it at another port, `--registry off` starts none"


def test_one_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(occupied, "ASK_SECONDS", 0.05)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        error = refusal(f"127.0.0.1:{other.getsockname()[1]}")
    assert "is taken by" in error.reason


def test_every_address_is_asked_here() -> None:
    with answering(json.dumps(CONSUL).encode()) as port:
        error = refusal(f"0.0.0.0:{port}")
    assert "a Consul agent" in error.reason
    assert f"`--consul http://127.0.0.1:{port}`" in error.hint
    assert "`--registry 0.0.0.0:PORT`" in error.hint


def test_an_address_of_another_machine() -> None:
    error = refusal("192.0.2.1:8500")
    assert error.reason == f"the registry cannot listen on 192.0.2.1:8500: {os.strerror(errno.EADDRNOTAVAIL)}"


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_taken_port_of_dns(kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            other.listen()
        port = other.getsockname()[1]
        error = refusal("127.0.0.1:0", f"127.0.0.1:{port}")
    assert f"127.0.0.1:{port}, where the registry is to answer DNS, is taken by " in error.reason
    assert error.hint == ("`--registry-dns 127.0.0.1:PORT` chooses another port, `--registry-dns off` does without")


def test_who_needs_one_of_its_own_is_told_of_other_ports_alone() -> None:
    with answering(json.dumps(CONSUL).encode()) as port, pytest.raises(UserError) as caught:
        occupied.refuse_taken(Discovery(f"127.0.0.1:{port}"), needed=True)
    assert caught.value.hint == "`--registry 127.0.0.1:PORT` starts it at another port"
