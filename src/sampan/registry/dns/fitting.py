"""What of an answer fits: Consul's limit of answers by UDP, and the bytes that the client takes.

`trimUDPResponse` and `trimTCPResponse` in agent/dns.go. Where Consul sends a datagram larger than the client asked
for (one answer with much beside it, a node with much meta), less is said here, and TC tells.
"""

from __future__ import annotations

from collections.abc import Sequence

from sampan.registry.dns import wire
from sampan.registry.dns.records import Said
from sampan.registry.dns.wire import Record, Reply

# `dns_config.udp_answer_limit`: for clients without EDNS0.
UDP_ANSWERS = 3
SMALLEST_UDP = 512
LARGEST_TCP = 65523
MOST_TCP = 4096
# An address, with its name compressed; a service, with a target of 17 bytes.
SMALLEST_ANSWER, SMALLEST_SERVICE = 16, 35
_SPARE = 7  # as Consul leaves


def fit(reply: Reply, said: Sequence[Said], largest: int, most: int | None = None) -> None:
    """Fills the reply with as much as goes into `largest` bytes, at most `most` answers."""
    kept = said if most is None else said[:most]
    # A client that is given three of many may stand behind one that does not compress: Consul measures those plainly.
    compress = len(kept) == len(said) or largest != SMALLEST_UDP
    limit = largest - max(_SPARE, 0 if reply.opt is None else wire.OPT_LENGTH + len(reply.opt[1]))
    number, notes = _measured(reply, kept, limit, compress=compress)
    whole = number == len(said)
    _fill(reply, said[:number], extras=True, notes=whole and notes)
    if number == 0 and kept:
        # Rather the answer alone than none.
        _fill(reply, said[:1], extras=False, notes=False)
        number = 1
        if wire.plain_length(reply) > limit:
            _fill(reply, (), extras=False, notes=False)
            number = 0
    if number < len(said):
        reply.flags |= wire.TRUNCATED


def _measured(reply: Reply, kept: Sequence[Said], limit: int, *, compress: bool) -> tuple[int, bool]:
    """How many go within the limit, with what belongs to them; and whether the notes of all do, too."""
    packer = wire.Packer(compress)
    packer.begin(reply)
    beside, notes, seen = 0, 0, set[Record]()
    for number, one in enumerate(kept):
        packer.record(one.record)
        for record in one.extras:
            if record not in seen:
                seen.add(record)
                beside += packer.beside(record)
        if len(packer.out) + beside > limit:
            return number, False
        for record in one.notes:
            if record not in seen:
                seen.add(record)
                notes += packer.beside(record)
    return len(kept), len(packer.out) + beside + notes <= limit


def _fill(reply: Reply, said: Sequence[Said], *, extras: bool, notes: bool) -> None:
    """Each additional record once: two instances on one node have one target."""
    reply.answer = [one.record for one in said]
    additional: dict[Record, None] = {}
    for one in said:
        if extras:
            additional.update(dict.fromkeys(one.extras))
        if notes:
            additional.update(dict.fromkeys(one.notes))
    reply.additional = list(additional)
