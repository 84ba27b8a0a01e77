"""Packets that come in: what is asked, or the answer to what is no question."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import dns.edns
import dns.exception
import dns.message

from sampan.registry.dns import wire
from sampan.registry.dns.wire import Labels

_HEADER = struct.Struct("!HHHHHH")
_SMALLEST_UDP = 512
_LARGEST_UDP = 65507  # what one IPv4 datagram carries


@dataclass(frozen=True, slots=True)
class Query:
    """`payload`: how much the client takes by UDP as EDNS0 says it, None without EDNS0. `subnet`: its ECS option."""

    id: int
    flags: int
    name: Labels
    kind: int
    kind_class: int = wire.IN
    payload: int | None = None
    subnet: bytes = b""

    @property
    def largest(self) -> int:
        return min(max(self.payload or 0, _SMALLEST_UDP), _LARGEST_UDP)

    def reply(self) -> wire.Reply:
        """Empty, authoritative."""
        kept = self.flags & (wire.RECURSION_DESIRED | wire.CHECKING_DISABLED)
        opt = None if self.payload is None else (self.payload, self.subnet)
        flags = wire.RESPONSE | wire.AUTHORITATIVE | kept
        return wire.Reply(self.id, flags, self.name, self.kind, self.kind_class, opt=opt)


def read(packet: bytes) -> Query | bytes | None:
    """A query; or the answer to something else; or None where nothing is to be said."""
    if len(packet) < _HEADER.size:
        return None
    number, flags, questions, answers, authorities, extras = _HEADER.unpack_from(packet)
    if flags & wire.RESPONSE:
        return None  # answering an answer makes a loop of two servers
    if flags & 0x7800:
        return wire.header_alone(packet, wire.NOTIMP)
    # More records than these are in no question that means well (miekg/dns, DefaultMsgAcceptFunc).
    if questions != 1 or answers > 1 or authorities > 1 or extras > 2:
        return wire.header_alone(packet, wire.FORMERR)
    try:
        message = dns.message.from_wire(packet, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError, struct.error):
        return wire.header_alone(packet, wire.FORMERR)
    asked = message.question[0]
    return Query(
        number,
        flags,
        asked.name.labels[:-1],
        int(asked.rdtype),
        int(asked.rdclass),
        message.payload if message.edns >= 0 else None,
        _subnet(message),
    )


def _subnet(message: dns.message.Message) -> bytes:
    """RFC 7871: echoed, with a scope of 0, since our answers hold for everyone."""
    for option in message.options:
        if option.otype == dns.edns.OptionType.ECS:
            raw = bytearray(option.to_wire() or b"")
            raw[3] = 0
            return struct.pack("!HH", int(option.otype), len(raw)) + bytes(raw)
    return b""
