"""H2PING: an HTTP/2 connection and a PING that comes back (RFC 9113 section 6.7), with TLS unless it is turned off."""

from __future__ import annotations

import asyncio
import struct

from sampan.registry.checking.outcome import Outcome, critical, passing
from sampan.registry.checking.probes import places
from sampan.registry.rows import DefinitionRow

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_SETTINGS, _PING, _GOAWAY, _ACK = 0x4, 0x6, 0x7, 0x1
_DATA = b"sampan!!"
_LARGEST_FRAME = 1 << 14
_MOST_FRAMES = 64


async def probe(definition: DefinitionRow) -> Outcome:
    place = definition["H2PING"]
    context = None
    if definition.get("H2PingUseTLS", True):
        context = places.tls_for_http2(verify=not definition.get("TLSSkipVerify", False))
    try:
        host, port = places.host_and_port(place)
        name = definition.get("TLSServerName") or host if context is not None else None
        async with asyncio.timeout(places.seconds(definition)):
            reader, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=name)
            try:
                await _ping(reader, writer)
            finally:
                writer.close()
    except asyncio.IncompleteReadError:
        return critical(f"HTTP2 ping to {place} failed: EOF")
    except (OSError, ValueError) as error:
        return critical(f"Failed to connect to {place}: {places.reason(error)}")
    return passing(f"HTTP2 ping was successful: {place}")


async def _ping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Raises ValueError for what is no HTTP/2."""
    writer.write(_PREFACE + _frame(_SETTINGS, 0, b"") + _frame(_PING, 0, _DATA))
    for _ in range(_MOST_FRAMES):
        head = await reader.readexactly(9)
        length, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        if length > _LARGEST_FRAME:
            raise ValueError("it does not speak HTTP/2")
        data = await reader.readexactly(length)
        if kind == _PING and flags & _ACK:
            if data != _DATA:
                raise ValueError("it answered another ping")
            return
        if kind == _GOAWAY:
            raise ValueError("it says goodbye")
        if kind == _SETTINGS and not flags & _ACK:
            writer.write(_frame(_SETTINGS, _ACK, b""))
    raise ValueError("it does not answer pings")


def _frame(kind: int, flags: int, data: bytes) -> bytes:
    return len(data).to_bytes(3, "big") + struct.pack("!BBI", kind, flags, 0) + data
