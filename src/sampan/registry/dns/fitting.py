"""What of an answer fits: Consul's limit of answers by UDP, and the bytes that the client takes.

`trimUDPResponse` and `trimTCPResponse` in agent/dns.go. Where Consul sends a datagram larger than the client asked
for (one answer with much beside it, a node with much meta), less is said here, and TC tells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sampan.registry.dns import wire
from sampan.registry.dns.records import Said
from sampan.registry.dns.wire import Record, Reply

# `dns_config.udp_answer_limit`: for clients without EDNS0.
UDP_ANSWERS = 3
SMALLEST_UDP = 512
LARGEST_TCP = 65523
MOST_TCP = 4096
_SPARE = 7  # as Consul leaves


def fit(reply: Reply, said: Sequence[Said], largest: int, most: int | None = None) -> None:
    """Fills the reply with as much as goes into `largest` bytes, at most `most` answers."""
    kept = said if most is None else said[:most]
    # A client that is given three of many may stand behind one that does not compress: Consul measures those plainly.
    compress = len(kept) == len(said) or largest != SMALLEST_UDP
    limit = largest - max(_SPARE, 0 if reply.opt is None else wire.OPT_LENGTH + len(reply.opt[1]))

    def fits(number: int, *, extras: bool = True, notes: bool = False) -> bool:
        _fill(reply, kept[:number], extras=extras, notes=notes)
        return _length(reply, limit, compress=compress) <= limit

    number = len(kept)
    if not fits(number, notes=number == len(said)):
        number = _greatest(number, fits)
        if number == 0 and kept and fits(1, extras=False):
            number = 1
        elif number == 0 or not fits(number):
            _fill(reply, (), extras=False, notes=False)
    if number < len(said):
        reply.flags |= wire.TRUNCATED


def _length(reply: Reply, limit: int, *, compress: bool) -> int:
    plain = wire.plain_length(reply)
    if plain <= limit or not compress:
        return plain
    opt, reply.opt = reply.opt, None
    length = len(wire.pack(reply))
    reply.opt = opt
    return length


def _greatest(most: int, fits: Callable[[int], bool]) -> int:
    low, high = 0, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        if fits(middle):
            low = middle
        else:
            high = middle
    return low


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
