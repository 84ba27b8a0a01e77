"""Many HTTP/1.1 connections with as little client as can be: so that the server is measured, and not the asker."""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any


def request(method: str, path: str, body: Any = None) -> bytes:
    text = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(text)}\r\n\r\n"
    return head.encode() + text


@contextmanager
def connections(port: int, count: int) -> Iterator[list[socket.socket]]:
    made: list[socket.socket] = []
    try:
        for _ in range(count):
            one = socket.create_connection(("127.0.0.1", port), timeout=60)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.append(one)
        yield made
    finally:
        for one in made:
            one.close()


def answer(one: socket.socket) -> bytes:
    """One whole answer. Raises RuntimeError if it is not 200."""
    got = b""
    while True:
        part = one.recv(1 << 16)
        if not part:
            raise ConnectionResetError("closed in the middle of an answer")
        got += part
        head, end, body = got.partition(b"\r\n\r\n")
        if not end:
            continue
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(got[:300].decode(errors="replace"))
        if complete(head, body):
            return got


def complete(head: bytes, body: bytes) -> bool:
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        return body.endswith(b"0\r\n\r\n")
    length = lower.partition(b"content-length:")[2].partition(b"\r\n")[0]
    return len(body) >= int(length or b"0")


def closed_loop(port: int, requests: Sequence[bytes], width: int) -> float:
    """Sends all of them over `width` connections, the next on each when the last is answered. Seconds it took."""
    left = iter(requests)
    with connections(port, width) as made, selectors.DefaultSelector() as selector:
        begin = time.monotonic()
        busy = 0
        for one in made:
            following = next(left, None)
            if following is not None:
                one.sendall(following)
                selector.register(one, selectors.EVENT_READ)
                busy += 1
        while busy:
            for key, _ in selector.select(60):
                one = key.fileobj  # type: ignore[assignment]
                answer(one)
                following = next(left, None)
                if following is None:
                    selector.unregister(one)
                    busy -= 1
                else:
                    one.sendall(following)
        return time.monotonic() - begin


def all_answered(made: Sequence[socket.socket], begin: float, seconds: float = 60.0) -> list[float]:
    """When each of the connections had its answer: seconds after `begin`."""
    times: list[float] = []
    with selectors.DefaultSelector() as selector:
        for one in made:
            selector.register(one, selectors.EVENT_READ)
        while len(times) < len(made):
            ready = selector.select(seconds)
            if not ready:
                raise TimeoutError(f"{len(made) - len(times)} of {len(made)} were not woken within {seconds:g} s")
            for key, _ in ready:
                answer(key.fileobj)  # type: ignore[arg-type]
                times.append(time.monotonic() - begin)
                selector.unregister(key.fileobj)
    return times
