"""What Timeout and Retry do to real requests, each by itself and both on one route."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Any

import pytest

from sampan.model.plan import Endpoint, Entry, Forward, Match, PathMatch, Share

pytestmark = pytest.mark.envoy

NOBODY = Endpoint("127.0.0.1", 1)
"""Nothing listens on port 1."""


def through(shop: Any, policies: Any) -> Any:
    share = Share(1, Forward("a"), policies=policies)
    return shop.only(Match(), shop.action("rule", share, policies=policies))


def test_request(start: Any, backend: Any, shop: Any, policies: Any) -> None:
    shop.upstream("a", backend("a").endpoint)
    envoy = start(through(shop, policies(Timeout={"request": 100})), shop.groups)
    assert envoy.request("/slow/10").status == 504
    assert envoy.request("/").status == 200


def test_one_try_without_retries(start: Any, backend: Any, shop: Any, policies: Any) -> None:
    taken = backend("a")
    shop.upstream("a", taken.endpoint)
    envoy = start(through(shop, policies(Timeout={"backend_request": 100}, Retry={"attempts": 0})), shop.groups)
    assert envoy.request("/slow/10").status == 504
    assert len(taken.requests) == 1


def test_tries_that_run_out_of_time(start: Any, backend: Any, shop: Any, policies: Any) -> None:
    """backendRequest ends each try; `reset` makes it tried again."""
    taken = backend("a")
    shop.upstream("a", taken.endpoint)
    both = policies(Timeout={"backend_request": 100}, Retry={"attempts": 2, "on": ("reset",)})
    envoy = start(through(shop, both), shop.groups)
    assert envoy.request("/slow/10").status == 504
    assert len(taken.requests) == 3


def test_request_ends_the_retries(start: Any, backend: Any, shop: Any, policies: Any) -> None:
    """Four tries of 200 ms do not fit into 500 ms: the whole counts."""
    taken = backend("a")
    shop.upstream("a", taken.endpoint)
    both = policies(
        Timeout={"request": 500, "backend_request": 200}, Retry={"attempts": 3, "on": ("reset",), "backoff": 1}
    )
    envoy = start(through(shop, both), shop.groups)
    begin = time.monotonic()
    assert envoy.request("/slow/10").status == 504
    assert time.monotonic() - begin < 5
    assert len(taken.requests) == 3


def test_idle(start: Any, backend: Any, shop: Any, policies: Any) -> None:
    shop.upstream("a", backend("a").endpoint)
    envoy = start(through(shop, policies(Timeout={"idle": 100})), shop.groups)
    assert envoy.request("/slow/10").status == 504


def test_what_nobody_served_is_tried_elsewhere(start: Any, backend: Any, shop: Any, policies: Any) -> None:
    """As shipped: a dead endpoint among the living fails no request, POST or not."""
    shop.upstream("a", backend("a").endpoint, NOBODY)
    envoy = start(through(shop, policies()), shop.groups)
    assert {envoy.request("/", "POST", body=b"x").status for _ in range(30)} == {200}


def test_off(start: Any, backend: Any, shop: Any, policies: Any) -> None:
    shop.upstream("a", backend("a").endpoint, NOBODY)
    envoy = start(through(shop, policies(Retry={"attempts": 0})), shop.groups)
    assert {envoy.request("/").status for _ in range(30)} == {200, 503}


def test_each_route_of_a_host_keeps_its_own_retries(start: Any, backend: Any, shop: Any, policies: Any) -> None:
    """Most have three, one has one, one has none, which is not the same as saying nothing."""
    taken = backend("a")
    shop.upstream("a", taken.endpoint)
    entries = []
    for status, attempts in ((500, 3), (501, 3), (502, 1), (503, 0)):
        value = policies(Retry={"attempts": attempts, "on": ("5xx",), "backoff": 1})
        rule = shop.action(f"rule-{status}", Share(1, Forward("a"), policies=value), policies=value)
        entries.append(Entry(Match(PathMatch("exact", f"/status/{status}")), rule))
    envoy = start(shop.plan(*entries), shop.groups)
    tries = []
    for entry in entries:
        before = len(taken.requests)
        envoy.request(entry.match.path.value)
        tries.append(len(taken.requests) - before)
    assert tries == [4, 4, 2, 1]


def test_what_was_served_is_not_tried_again_as_shipped(start: Any, backend: Any, shop: Any, policies: Any) -> None:
    taken = backend("a")
    shop.upstream("a", taken.endpoint)
    envoy = start(through(shop, policies()), shop.groups)
    assert envoy.request("/status/503").status == 503
    assert envoy.request("/hangup").status == 503
    assert len(taken.requests) == 2


@pytest.mark.parametrize(
    ("retry", "path", "status", "tries"),
    [
        ({"attempts": 3, "codes": (500,)}, "/flaky/2/500", 200, 3),
        ({"attempts": 1, "codes": (500,)}, "/flaky/2/500", 500, 2),
        ({"attempts": 3, "codes": (500,)}, "/flaky/2/502", 502, 1),
        ({"attempts": 3, "on": ("5xx",)}, "/flaky/2/502", 200, 3),
        ({"attempts": 3, "on": ("gateway-error",)}, "/flaky/2/500", 500, 1),
        ({"attempts": 3, "on": ("retriable-4xx",)}, "/flaky/1/409", 200, 2),
        ({"attempts": 2, "on": ("reset",)}, "/hangup", 503, 3),
    ],
)
def test_conditions(
    start: Any, backend: Any, shop: Any, policies: Any, retry: Any, path: str, status: int, tries: int
) -> None:
    taken = backend("a")
    shop.upstream("a", taken.endpoint)
    envoy = start(through(shop, policies(Retry=retry)), shop.groups)
    assert envoy.request(path).status == status
    assert len(taken.requests) == tries


@pytest.mark.parametrize(("size", "status"), [(30_000, 200), (40_000, 500)])
def test_a_body_is_kept_up_to_32_kib(
    start: Any, backend: Any, shop: Any, policies: Any, size: int, status: int
) -> None:
    shop.upstream("a", backend("a").endpoint)
    envoy = start(through(shop, policies(Retry={"attempts": 1, "codes": (500,)})), shop.groups)
    assert envoy.request("/flaky/1/500", "POST", body=b"x" * size).status == status


HANDSHAKE = b"GET / HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-key: a\r\n\r\n"


def echo(server: socket.socket) -> None:
    """Takes one WebSocket and sends back what comes, to its end."""
    connection, _ = server.accept()
    with connection, contextlib.suppress(OSError):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n")
        while data := connection.recv(1000):
            connection.sendall(data)


@pytest.mark.parametrize(
    ("timeout", "kept"), [({}, True), ({"request": 200, "backend_request": 200}, True), ({"idle": 200}, False)]
)
def test_websockets(start: Any, shop: Any, policies: Any, timeout: dict[str, int], kept: bool) -> None:
    """Limits for requests and tries end with the handshake; only silence ends a WebSocket."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=echo, args=(server,))
        thread.start()
        shop.upstream("a", Endpoint(*server.getsockname()))
        envoy = start(through(shop, policies(Timeout=timeout)), shop.groups)
        with socket.create_connection(("127.0.0.1", envoy.ports["http"]), 0.5 if kept else 10) as client:
            client.sendall(HANDSHAKE)
            assert client.recv(1000).startswith(b"HTTP/1.1 101")
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"
            if kept:
                with pytest.raises(TimeoutError):
                    client.recv(5)
                client.sendall(b"again")
                assert client.recv(5) == b"again"
            else:
                assert client.recv(5) == b""
        thread.join(10)
        assert not thread.is_alive()


def test_budget(start: Any, backend: Any, shop: Any, policies: Any) -> None:
    """No retry may be under way: what fails stays failed."""
    taken = backend("a")
    none = policies(Retry={"attempts": 3, "codes": (500,), "budget_percent": 1, "budget_minimum": 0})
    shop.upstream("a", taken.endpoint, policies=none)
    envoy = start(through(shop, none), shop.groups)
    assert envoy.request("/flaky/2/500").status == 500
    assert len(taken.requests) == 1


def test_connect(start: Any, shop: Any, policies: Any) -> None:
    """A socket whose queue of connections is full answers no further one (Linux drops the SYN)."""
    value = policies(Timeout={"connect": 100}, Retry={"attempts": 0})
    with contextlib.ExitStack() as stack:
        deaf = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(deaf.getsockname())
        shop.upstream("a", Endpoint(*deaf.getsockname()), policies=value)
        envoy = start(through(shop, value), shop.groups)
        begin = time.monotonic()
        assert envoy.request("/").status == 503
        assert 0.09 < time.monotonic() - begin < 4
