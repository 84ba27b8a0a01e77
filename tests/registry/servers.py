"""Real servers that checks look at, each of which can be bad and good again on one port."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc


@dataclass
class Web:
    """`status` and `body` are what it answers; `seen` what it was asked."""

    url: str = ""
    status: int = 200
    body: bytes = b"all is well"
    location: str = ""
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    stalled: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.stalled.set()


@contextmanager
def web(context: ssl.SSLContext | None = None) -> Iterator[Web]:
    state = Web()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            state.seen.append((self.command, self.path, dict(self.headers.items()), body))
            state.stalled.wait(20)
            self.send_response(state.status)
            if state.location:
                self.send_header("Location", state.location)
            self.send_header("Content-Length", str(len(state.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(state.body)

        do_GET = do_PUT = do_POST = do_HEAD = answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme = "https" if context else "http"
    state.url = f"{scheme}://127.0.0.1:{server.server_port}/health"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield state
    finally:
        state.stalled.set()
        server.shutdown()
        thread.join()
        server.server_close()


class Door:
    """A TCP port that is open, or not."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self.port = 0
        self.open()

    def open(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", self.port))
        self._socket.listen(64)
        self.port = self._socket.getsockname()[1]

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


@dataclass
class Health:
    """By service, "" for the server: SERVING is 1. A service that is not there is unknown."""

    place: str = ""
    status: dict[str, int] = field(default_factory=lambda: {"": 1, "shop": 1})


@contextmanager
def health(credentials: grpc.ServerCredentials | None = None) -> Iterator[Health]:
    state = Health()

    def check(request: bytes, context: grpc.ServicerContext) -> bytes:
        service = request[2:].decode()
        if service not in state.status:
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return bytes([8, state.status[service]])

    handler = grpc.method_handlers_generic_handler(
        "grpc.health.v1.Health", {"Check": grpc.unary_unary_rpc_method_handler(check)}
    )
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool, handlers=[handler])
        place = "127.0.0.1:0"
        port = server.add_secure_port(place, credentials) if credentials else server.add_insecure_port(place)
        state.place = f"127.0.0.1:{port}"
        server.start()
        try:
            yield state
        finally:
            server.stop(None).wait()
