"""HTTP/1.1 messages on asyncio streams (RFC 9112), as much as both ends of the demo need, and no more.

The peer is an Envoy or ourselves; still every length is bounded and a malformed message is an error of its own kind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

MAX_BODY = 1024 * 1024
MAX_HEAD = 64 * 1024  # also asyncio.StreamReader's own limit


class MalformedMessageError(Exception):
    """What arrived is not an HTTP/1.1 message that we accept; `status` is the answer it deserves."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


async def read_head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]] | None:
    """The start line and the header fields (names in lower case, repeats joined by ", "); None at a clean end.

    Raises MalformedMessageError, or ConnectionError where the stream ends inside a head.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise ConnectionResetError("the connection ended inside a message's head") from error
        return None
    except asyncio.LimitOverrunError as error:
        raise MalformedMessageError(431, f"the head is longer than {MAX_HEAD} bytes") from error
    start, *lines = head[:-4].decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise MalformedMessageError(400, "a header field has no name")
        name = name.lower()
        headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
    return start, headers


async def read_body(reader: asyncio.StreamReader, headers: Mapping[str, str], until_end: bool = False) -> bytes:
    """The body that `headers` announce; with neither length nor chunks it is empty, or, for a response
    (`until_end`), everything until the connection ends (RFC 9112 section 6.3)."""
    try:
        if headers.get("transfer-encoding", "").lower().endswith("chunked"):
            return await _read_chunks(reader)
        length = headers.get("content-length")
        if length is not None:
            if not (length.isascii() and length.isdigit()):
                raise MalformedMessageError(400, "content-length is not a number")
            if int(length) > MAX_BODY:
                raise MalformedMessageError(413, f"the body is longer than {MAX_BODY} bytes")
            return await reader.readexactly(int(length))
        return await reader.read(MAX_BODY) if until_end else b""
    except asyncio.IncompleteReadError as error:
        raise ConnectionResetError("the connection ended inside a message's body") from error


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while True:
        line = (await reader.readuntil(b"\r\n")).split(b";")[0].strip()
        try:
            size = int(line, 16)
        except ValueError as error:
            raise MalformedMessageError(400, "a chunk has no length") from error
        if size < 0 or len(body) + size > MAX_BODY:
            raise MalformedMessageError(413, f"the body is longer than {MAX_BODY} bytes")
        if size == 0:
            while await reader.readuntil(b"\r\n") != b"\r\n":
                pass
            return bytes(body)
        body += await reader.readexactly(size)
        await reader.readexactly(2)


def head(start: str, headers: Mapping[str, str]) -> bytes:
    """A start line and header fields as bytes. A line break in a value would start a field of its own: refused."""
    lines = [start, *(f"{name}: {value}" for name, value in headers.items())]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header field holds a line break")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
