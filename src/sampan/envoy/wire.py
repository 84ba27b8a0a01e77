"""Joining and splitting serialised protobufs without parsing them.

A message whose parts are known as bytes is put together with one `b"".join`: a RouteConfiguration of 10,000 cached
routes takes a few milliseconds. Fields may come in any order and a repeated field keeps the order of its parts
(protobuf.dev, "Encoding"), so parts of one field only have to stay in order among themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5


def varint(value: int) -> bytes:
    """An unsigned integer, seven bits to a byte, low bits first."""
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def tag(number: int, wire_type: int = LENGTH_DELIMITED) -> bytes:
    return varint(number << 3 | wire_type)


def head(number: int, length: int) -> bytes:
    """What stands before `length` bytes of a length-delimited field."""
    return tag(number) + varint(length)


def field(number: int, body: bytes) -> bytes:
    """A length-delimited field (message, bytes, string)."""
    return head(number, len(body)) + body


def text(number: int, value: str) -> bytes:
    """A string field; nothing for "", as proto3 has it."""
    return field(number, value.encode()) if value else b""


def integer(number: int, value: int) -> bytes:
    """An unsigned, bool or enumeration field; nothing for 0, as proto3 has it."""
    return tag(number, VARINT) + varint(value) if value else b""


def repeated(number: int, bodies: Iterable[bytes]) -> bytes:
    """Every body as one element of a repeated length-delimited field."""
    start = tag(number)
    parts: list[bytes] = []
    for body in bodies:
        parts += (start, varint(len(body)), body)
    return b"".join(parts)


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The value at an offset, and the offset behind it. ValueError if the data ends or the value has over 64 bits."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("torn varint")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def fields(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Each field in order: number, the whole field as it stands, its body (length-delimited) or value's bytes (others).

    ValueError if the data is torn or holds a group.
    """
    at = 0
    while at < len(data):
        start = at
        key, at = read_varint(data, at)
        wire_type = key & 7
        begin = at
        if wire_type == VARINT:
            _, at = read_varint(data, at)
        elif wire_type == LENGTH_DELIMITED:
            length, begin = read_varint(data, at)
            at = begin + length
        elif wire_type == FIXED64:
            at += 8
        elif wire_type == FIXED32:
            at += 4
        else:
            raise ValueError(f"wire type {wire_type}")
        if at > len(data):
            raise ValueError("torn field")
        yield key >> 3, data[start:at], data[begin:at]
