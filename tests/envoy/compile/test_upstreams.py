"""Endpoints, protocols, and connections that carry bytes."""

from __future__ import annotations

import contextlib
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sampan.model.plan import (
    Chain,
    Endpoint,
    Forward,
    Match,
    Respond,
    Share,
    Socket,
    TcpApplication,
)

pytestmark = pytest.mark.envoy


def through(shop: Any, name: str = "a") -> Any:
    return shop.only(Match(), shop.action("rule", Share(1, Forward(name))))


def test_unix_socket(start: Any, backend: Any, shop: Any, tmp_path: Path) -> None:
    shop.upstream("a", backend("a", path=str(tmp_path / "a.sock")).endpoint)
    assert start(through(shop), shop.groups).request("/").seen["name"] == "a"


def test_names_are_looked_up(start: Any, backend: Any, shop: Any) -> None:
    port = backend("a").endpoint.port
    shop.upstream("a", discovery="dns", endpoints=(Endpoint("localhost", port),))
    assert start(through(shop), shop.groups).request("/").seen["name"] == "a"


def test_states(start: Any, backend: Any, shop: Any) -> None:
    """Draining endpoints get nothing while another is ready, however many drain; those that are down are not there."""
    ready, *others = (backend(name).endpoint for name in ("ready", "b", "c", "d"))
    draining = [Endpoint(item.address, item.port, state="draining") for item in others]
    shop.upstream("a", ready, *draining, Endpoint("127.0.0.1", 1, state="down"))
    envoy = start(through(shop), shop.groups)
    assert Counter(envoy.request("/").seen["name"] for _ in range(40)) == {"ready": 40}


def test_only_draining_ones_are_left(start: Any, backend: Any, shop: Any) -> None:
    endpoint = backend("last").endpoint
    shop.upstream(
        "a", Endpoint(endpoint.address, endpoint.port, state="draining"), Endpoint("127.0.0.1", 1, state="down")
    )
    envoy = start(through(shop), shop.groups)
    assert {envoy.request("/").seen["name"] for _ in range(10)} == {"last"}


def test_weights_of_endpoints(start: Any, backend: Any, shop: Any) -> None:
    heavy, light = backend("heavy").endpoint, backend("light").endpoint
    shop.upstream(
        "a", Endpoint(heavy.address, heavy.port, weight=9, zone="x"), Endpoint(light.address, light.port, zone="y")
    )
    envoy = start(through(shop), shop.groups)
    found = Counter(envoy.request("/").seen["name"] for _ in range(100))
    assert 80 <= found["heavy"] <= 96


def test_client_of_http2(start: Any, backend: Any, shop: Any) -> None:
    """HTTP/2 without TLS, by prior knowledge."""
    import httpx

    shop.upstream("a", backend("a").endpoint)
    port = start(through(shop), shop.groups).ports["http"]
    with httpx.Client(http1=False, http2=True) as session:
        answer = session.get(f"http://127.0.0.1:{port}/x")
    assert (answer.http_version, answer.json()["path"]) == ("HTTP/2", "/x")


def said(port: int, text: bytes) -> bytes:
    """What comes back for a line, b"" if the connection is closed."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection, contextlib.suppress(ConnectionResetError):
        connection.sendall(text)
        return connection.recv(1000)
    return b""


def streams(shop: Any, *shares: Share) -> Any:
    chain = Chain("tcp", TcpApplication("tcp/1", shares))
    return shop.plan(sockets=(Socket("tcp", 0, (chain,), ("127.0.0.1",)),))


LINE = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"


def test_bytes_by_weight(start: Any, backend: Any, shop: Any) -> None:
    """One half goes to a backend, the other is closed."""
    shop.upstream("a", backend("a").endpoint, protocol="tcp")
    envoy = start(streams(shop, Share(1, Forward("a")), Share(1, Respond(500))), shop.groups)
    found = Counter(said(envoy.ports["tcp"], LINE)[:12] for _ in range(100))
    assert set(found) == {b"HTTP/1.1 200", b""}
    assert 25 <= found[b""] <= 75


def test_bytes_that_nobody_takes(start: Any, shop: Any) -> None:
    envoy = start(streams(shop, Share(1, Respond(503, "no route"))))
    assert said(envoy.ports["tcp"], LINE) == b""
