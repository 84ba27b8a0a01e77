"""What a connection may take, whatever the routes say."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import pytest

from sampan.model.plan import Forward, Match, Share

pytestmark = pytest.mark.envoy

DEADLINE = 20.0


def test_headers_that_trickle_in_end(start: Any, backend: Any, shop: Any, policies: Any, monkeypatch: Any) -> None:
    """One timer for both: the limit for headers is none for a request whose route is known."""
    monkeypatch.setattr("sampan.compile.connections.HEADERS_SECONDS", 1)
    shop.upstream("a", backend("a").endpoint)
    share = Share(1, Forward("a"), policies=policies())
    envoy = start(shop.only(Match(), shop.action("rule", share, policies=policies())), shop.groups)
    with socket.create_connection(("127.0.0.1", envoy.ports["http"]), DEADLINE) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n")
        assert answer_to_a_trickle(connection).startswith(b"HTTP/1.1 408 ")
    assert envoy.request("/slow/1.5").status == 200


def answer_to_a_trickle(connection: socket.socket) -> bytes:
    """A byte of a header every 0.2 s, for as long as nothing is answered."""
    connection.settimeout(0.2)
    for _ in range(100):
        with contextlib.suppress(TimeoutError):
            return connection.recv(1000)
        connection.sendall(b"x")
    return b""
