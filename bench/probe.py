"""Asks a proxy the same thing again and again over one connection, to see when its answer changes."""

from __future__ import annotations

import socket
import time

from bench.processes import ProcessFailedError

PAUSE = 0.001


class Probe:
    """HTTP/1.1 with keep-alive, as bare as it gets."""

    def __init__(self, port: int, host: str, path: str) -> None:
        self._port = port
        self._request = f"GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n".encode()
        self._socket: socket.socket | None = None

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def ask(self) -> bytes:
        """The whole answer."""
        try:
            return self._exchange()
        except OSError:
            self.close()  # a kept connection may have been closed in between; a second failure is one
            return self._exchange()

    def _exchange(self) -> bytes:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=10)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(self._request)
        answer = b""
        while True:
            part = self._socket.recv(65536)
            if not part:
                raise ConnectionResetError("closed")
            answer += part
            head, end, body = answer.partition(b"\r\n\r\n")
            if end and len(body) >= _length(head):
                return answer

    def until(self, wanted: bytes, seconds: float = 30.0) -> float:
        """Asks until the answer holds the wanted text. The moment (`time.monotonic()`) it was there."""
        deadline = time.monotonic() + seconds
        while True:
            answer = self.ask()
            now = time.monotonic()
            if wanted in answer:
                return now
            if now > deadline:
                raise ProcessFailedError(f"still another answer after {seconds:g} s: {answer[:300]!r}")
            time.sleep(PAUSE)


def _length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0
