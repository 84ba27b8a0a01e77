"""An Envoy's admin interface, on its Unix socket.

`http.client` would do, at 2 MB of the supervisor's memory: the few lines of HTTP needed are here. Envoy is asked to
close the connection, so an answer ends where the connection does, and its body may be chunked.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

LIVE = "LIVE"


class AdminError(Exception):
    """No usable answer: Envoy is starting, gone, hung, or refuses the call. The text says which."""


def call(admin: Path, path: str, *, method: str = "GET", timeout: float = 2.0) -> bytes:
    """The body of Envoy's answer. `admin` may be a link; `timeout` is for the whole call. Raises AdminError."""
    deadline = time.monotonic() + timeout
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout)
            connection.connect(os.path.realpath(admin))
            connection.sendall(_request(method, path))
            parts = []
            while part := connection.recv(1 << 18):
                parts.append(part)
                connection.settimeout(max(0.001, deadline - time.monotonic()))
    except OSError as error:
        raise AdminError(f"no answer to {method} {path} from the Envoy at {admin}: {_why(error)}") from error
    return _body(b"".join(parts), f"{method} {path}")


async def ask(admin: Path, path: str, *, method: str = "GET", timeout: float = 2.0) -> bytes:
    """`call`, for whoever must not block."""
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_unix_connection(os.path.realpath(admin))
            try:
                writer.write(_request(method, path))
                answer = await reader.read(-1)
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except OSError as error:
        raise AdminError(f"no answer to {method} {path} from the Envoy at {admin}: {_why(error)}") from error
    return _body(answer, f"{method} {path}")


def state(admin: Path, *, timeout: float = 2.0) -> str:
    """`LIVE` when Envoy serves, else `PRE_INITIALIZING`, `INITIALIZING` or `DRAINING` (admin `/ready`)."""
    return call(admin, "/ready", timeout=timeout).decode().strip()


def statistics(admin: Path, pattern: str = "", *, timeout: float = 5.0) -> dict[str, int]:
    """Counters and gauges by name; `pattern` is an RE2 expression that must be found in the name ("" for all)."""
    return numbers(call(admin, statistics_path(pattern), timeout=timeout))


def config_dump(admin: Path, *, with_endpoints: bool = False, timeout: float = 10.0) -> dict[str, Any]:
    """What Envoy has, as its admin interface writes it in JSON. Envoy blanks private keys itself."""
    path = "/config_dump?include_eds" if with_endpoints else "/config_dump"
    document: dict[str, Any] = json.loads(call(admin, path, timeout=timeout))
    return document


def statistics_path(pattern: str = "") -> str:
    query = {"format": "json", **({"filter": pattern} if pattern else {})}
    return "/stats?" + urlencode(query, quote_via=quote)


def numbers(body: bytes) -> dict[str, int]:
    """The body of `statistics_path` as numbers by name; histograms and texts are left out."""
    found = json.loads(body).get("stats", [])
    return {item["name"]: item["value"] for item in found if isinstance(item.get("value"), int)}


def _request(method: str, path: str) -> bytes:
    length = "content-length: 0\r\n" if method == "POST" else ""
    return f"{method} {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n{length}\r\n".encode("ascii")


def _why(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "it took too long"
    return error.strerror or str(error)


def _body(answer: bytes, what: str) -> bytes:
    head, separator, body = answer.partition(b"\r\n\r\n")
    status_line, *fields = head.split(b"\r\n")
    status = status_line.split(b" ")[1:2]
    if not separator or not status:
        raise AdminError(f"the Envoy hung up on {what}")
    chunked = any(field.lower().replace(b" ", b"") == b"transfer-encoding:chunked" for field in fields)
    try:
        whole = b"".join(_chunks(body)) if chunked else body
    except ValueError as error:
        raise AdminError(f"the Envoy's answer to {what} broke off") from error
    # /ready answers 503 with the state as its body while Envoy starts.
    if status[0] != b"200" and not (status[0] == b"503" and what == "GET /ready"):
        raise AdminError(f"Envoy answered {what} with {status[0].decode()}: {whole[:200].decode(errors='replace')}")
    return whole


def _chunks(body: bytes) -> Iterator[bytes]:
    position = 0
    while True:
        end = body.index(b"\r\n", position)
        size = int(body[position:end].split(b";")[0], 16)
        if size == 0:
            return
        if end + 2 + size > len(body):
            raise ValueError("a chunk is missing bytes")
        yield body[end + 2 : end + 2 + size]
        position = end + 2 + size + 2
