"""Records and replies as bytes (RFC 1035 section 4), with names compressed as Consul's library does.

Written by hand because it is the larger half of a query's cost; packets that come in are read by dnspython.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

Labels = tuple[bytes, ...]
"""A name, without the root's empty label."""

A, NS, CNAME, SOA, PTR, TXT, AAAA, SRV, OPT, AXFR, ANY = 1, 2, 5, 6, 12, 16, 28, 33, 41, 252, 255
IN: Final = 1
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)
RESPONSE, AUTHORITATIVE, TRUNCATED, RECURSION_DESIRED, RECURSION_AVAILABLE = 0x8000, 0x400, 0x200, 0x100, 0x80
CHECKING_DISABLED = 0x10

_LONGEST_LABEL = 63
_LONGEST_NAME = 254
_LARGEST_OFFSET = 0x3FFF
OPT_LENGTH = 11
_LONGEST_STRING = 255


class UnspeakableError(ValueError):
    """It cannot be said in DNS."""


@dataclass(frozen=True, slots=True)
class Record:
    """`data`: bytes, and names between them."""

    owner: Labels
    kind: int
    data: tuple[bytes | Labels, ...]


@dataclass(slots=True)
class Reply:
    """`opt`: the EDNS0 record's class and data, None for a client that does not speak it."""

    id: int
    flags: int
    name: Labels
    kind: int
    kind_class: int = IN
    answer: Sequence[Record] = ()
    authority: Sequence[Record] = ()
    additional: Sequence[Record] = ()
    opt: tuple[int, bytes] | None = None


def labels(text: str) -> Labels:
    """`web.example.com` with or without the last dot. Raises UnspeakableError for what is no name."""
    parts = tuple(part.encode("utf-8", "surrogateescape") for part in text.removesuffix(".").split("."))
    if any(not 0 < len(part) <= _LONGEST_LABEL for part in parts) or sum(map(len, parts)) + len(parts) > _LONGEST_NAME:
        raise UnspeakableError(text)
    return parts


def address(owner: Labels, packed: bytes) -> Record:
    return Record(owner, A if len(packed) == 4 else AAAA, (packed,))


def service(owner: Labels, weight: int, port: int, target: Labels) -> Record:
    return Record(owner, SRV, (struct.pack("!HHH", 1, weight & 0xFFFF, port & 0xFFFF), target))


def text(owner: Labels, value: str) -> Record:
    raw = value.encode("utf-8", "surrogateescape")
    strings = [raw[at : at + _LONGEST_STRING] for at in range(0, len(raw), _LONGEST_STRING)] or [b""]
    return Record(owner, TXT, (b"".join(bytes([len(string)]) + string for string in strings),))


@dataclass(slots=True)
class Packer:
    compress: bool = True
    out: bytearray = field(default_factory=bytearray)
    seen: dict[Labels, int] = field(default_factory=dict)

    def begin(self, reply: Reply) -> None:
        extra = len(reply.additional) + (reply.opt is not None)
        counts = (1, len(reply.answer), len(reply.authority), extra)
        self.out += struct.pack("!HHHHHH", reply.id, reply.flags, *counts)
        self.name(reply.name, compress=self.compress)
        self.out += struct.pack("!HH", reply.kind, reply.kind_class)

    def name(self, name: Labels, *, compress: bool) -> None:
        out, seen = self.out, self.seen
        for at in range(len(name)):
            rest = name[at:]
            offset = seen.get(rest)
            if offset is not None and compress:
                out += struct.pack("!H", 0xC000 | offset)
                return
            if offset is None and len(out) <= _LARGEST_OFFSET:
                seen[rest] = len(out)
            label = name[at]
            out.append(len(label))
            out += label
        out.append(0)

    def record(self, record: Record) -> None:
        self.name(record.owner, compress=self.compress)
        out = self.out
        out += struct.pack("!HHIH", record.kind, IN, 0, 0)
        start = len(out)
        # RFC 2782: the target of an SRV record is not compressed.
        compress = self.compress and record.kind != SRV
        for part in record.data:
            if isinstance(part, bytes):
                out += part
            else:
                self.name(part, compress=compress)
        struct.pack_into("!H", out, start - 2, len(out) - start)

    def beside(self, record: Record) -> int:
        """How long it will be once what it belongs to is written: its name is a pointer to that one's target."""
        length = record_length(record)
        if self.compress and record.owner in self.seen:
            length += 2 - _name_length(record.owner)
        return length


def pack(reply: Reply) -> bytes:
    packer = Packer()
    packer.begin(reply)
    for section in (reply.answer, reply.authority, reply.additional):
        for record in section:
            packer.record(record)
    if reply.opt is not None:
        size, options = reply.opt
        packer.out += struct.pack("!BHHIH", 0, OPT, size, 0, len(options)) + options
    return bytes(packer.out)


def plain_length(reply: Reply) -> int:
    """How long it is without compression, and so at most; OPT left out."""
    length = 12 + _name_length(reply.name) + 4
    for section in (reply.answer, reply.authority, reply.additional):
        length += sum(map(record_length, section))
    return length


def record_length(record: Record) -> int:
    """Without compression."""
    parts = (len(part) if isinstance(part, bytes) else _name_length(part) for part in record.data)
    return _name_length(record.owner) + 10 + sum(parts)


def _name_length(name: Labels) -> int:
    return sum(map(len, name)) + len(name) + 1


def header_alone(packet: bytes, rcode: int) -> bytes:
    """The answer to what cannot be read."""
    number, flags = struct.unpack_from("!HH", packet)
    kept = flags & (0x7800 | RECURSION_DESIRED)
    return struct.pack("!HHHHHH", number, RESPONSE | kept | rcode, 0, 0, 0, 0)
