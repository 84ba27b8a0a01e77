"""WebSocket framing on asyncio streams (RFC 6455): the handshake's key, frames, ping, pong and the closing handshake.

Unfragmented text out; fragmented text in. No extensions, so every reserved bit is a protocol error (section 5.2).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import struct

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
MAX_MESSAGE = 64 * 1024
GOING_AWAY = 1001  # the closing code of a server that stops (section 7.4.1)

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


class ProtocolError(Exception):
    """The peer does not speak WebSocket as the RFC has it; `code` is the closing code (section 7.4.1)."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def accept_key(key: str) -> str:
    """`Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (section 4.2.2)."""
    return base64.b64encode(hashlib.sha1((key + GUID).encode(), usedforsecurity=False).digest()).decode()


def new_key() -> str:
    """A client's `Sec-WebSocket-Key`: 16 random bytes (section 4.1)."""
    return base64.b64encode(os.urandom(16)).decode()


class WebSocket:
    """One end of an open connection; `client` says which (a client masks what it sends, section 5.3)."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: bool) -> None:
        self._reader = reader
        self._writer = writer
        self._client = client
        self._closing = False

    async def send(self, text: str) -> None:
        """Sends one text message. Raises ConnectionError when the peer is gone."""
        await self._send_frame(TEXT, text.encode())

    async def receive(self) -> str | None:
        """The next message as text, or None when the connection was closed. Answers pings on the way."""
        message = bytearray()
        kind = None
        while True:
            try:
                final, opcode, payload = await self._read_frame()
            except asyncio.IncompleteReadError:
                return None
            if opcode == CLOSE:
                await self.close(int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1000)
                return None
            if opcode == PING:
                await self._send_frame(PONG, payload)
            elif opcode in (TEXT, BINARY, CONTINUATION):
                if (kind is None) == (opcode == CONTINUATION):
                    raise ProtocolError(1002, "a fragment without its message")
                kind = opcode if kind is None else kind
                message += payload
                if len(message) > MAX_MESSAGE:
                    raise ProtocolError(1009, f"a message longer than {MAX_MESSAGE} bytes")
                if final:
                    return message.decode("utf-8", "replace")
            elif opcode != PONG:
                raise ProtocolError(1002, f"unknown opcode {opcode}")

    async def close(self, code: int = 1000) -> None:
        """Sends a close frame, once."""
        if not self._closing:
            self._closing = True
            await self._send_frame(CLOSE, code.to_bytes(2, "big"))

    async def _send_frame(self, opcode: int, payload: bytes) -> None:
        masked = 0x80 if self._client else 0
        length = len(payload)
        if length < 126:
            frame = struct.pack("!BB", 0x80 | opcode, masked | length)
        elif length < 1 << 16:
            frame = struct.pack("!BBH", 0x80 | opcode, masked | 126, length)
        else:
            frame = struct.pack("!BBQ", 0x80 | opcode, masked | 127, length)
        if self._client:
            mask = os.urandom(4)
            frame += mask
            payload = _masked(payload, mask)
        self._writer.write(frame + payload)
        await self._writer.drain()

    async def _read_frame(self) -> tuple[bool, int, bytes]:
        first, second = await self._reader.readexactly(2)
        if first & 0x70:
            raise ProtocolError(1002, "a reserved bit is set")
        if bool(second & 0x80) == self._client:
            raise ProtocolError(1002, "a client masks its frames and a server does not")
        length = second & 0x7F
        if length == 126:
            length = int.from_bytes(await self._reader.readexactly(2), "big")
        elif length == 127:
            length = int.from_bytes(await self._reader.readexactly(8), "big")
        if length > MAX_MESSAGE:
            raise ProtocolError(1009, f"a frame longer than {MAX_MESSAGE} bytes")
        mask = await self._reader.readexactly(4) if second & 0x80 else b""
        payload = await self._reader.readexactly(length)
        return bool(first & 0x80), first & 0x0F, _masked(payload, mask) if mask else payload


def _masked(payload: bytes, mask: bytes) -> bytes:
    """XOR with the repeated mask; applying it twice gives the payload back (section 5.3)."""
    if not payload:
        return b""
    repeated = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(len(payload), "big")
