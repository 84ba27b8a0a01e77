"""How answers are said: JSON with Consul's headers, and refusals in plain text as Consul has them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload

JSON_TYPE = "application/json"
PIECE = 32 << 10
AT_ONCE = 200


class Pieces(Payload):
    """A body that goes out piece by piece, each when the one before has gone: a thousand clients that do not read cost
    a piece each, and not a body each."""

    _value: bytes

    def __init__(self, value: bytes, content_type: str) -> None:
        super().__init__(value, content_type=content_type)
        self._size = len(value)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._value.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        for start in range(0, len(self._value), PIECE):
            await writer.write(self._value[start : start + PIECE])
            await writer.drain()


class RefusalError(Exception):
    """The call is refused; `text` is the whole body, in Consul's words where clients may look for them."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def refusal(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text, content_type="text/plain")


def done() -> web.Response:
    """Of a call that has nothing to say."""
    return web.Response()


def plain_json(value: Any, *, pretty: bool = False, status: int = 200) -> web.Response:
    """Without an index: what is no read of the catalogue."""
    return web.Response(status=status, body=encode(value, pretty=pretty), content_type=JSON_TYPE)


def encode(value: Any, *, pretty: bool = False) -> bytes:
    if pretty:
        return (json.dumps(value, indent=4) + "\n").encode()
    return json.dumps(value, separators=(",", ":")).encode()


async def encoded(value: Any, *, pretty: bool = False) -> bytes:
    """The same; of many entries some at a time, and others are answered in between (20,000 checks take 60 ms). Rows
    are never changed in place: what is said is of one moment."""
    if pretty or not isinstance(value, list | dict) or len(value) <= AT_ONCE:
        return encode(value, pretty=pretty)
    opening, closing = (b"[", b"]") if isinstance(value, list) else (b"{", b"}")
    entries = list(value.items()) if isinstance(value, dict) else value
    pieces = []
    for start in range(0, len(entries), AT_ONCE):
        some = entries[start : start + AT_ONCE]
        pieces.append(encode(dict(some) if isinstance(value, dict) else some)[1:-1])
        await asyncio.sleep(0)
    return opening + b",".join(pieces) + closing


def read_headers(index: int, consistency: str) -> dict[str, str]:
    """On every read, https://developer.hashicorp.com/consul/api-docs/features/blocking and …/consistency."""
    return {
        "X-Consul-Index": str(index),
        "X-Consul-Knownleader": "true",
        "X-Consul-Lastcontact": "0",
        "X-Consul-Effective-Consistency": consistency,
    }
