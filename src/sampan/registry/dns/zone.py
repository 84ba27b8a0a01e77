"""What is said to a query: the domain `consul.`, and addresses back to names. Without I/O.

Compared with the real Consul answer by answer. Not as it has it: TC is set where records are left out, as Consul does
with `enable_truncate`; a service's name asked for TXT gets no addresses; `….addr` of another family gets the address
beside the answer (as later Consuls); other classes than IN are refused.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import dns.exception
import dns.name
import dns.reversename

from sampan.registry.dns import fitting, names, wire
from sampan.registry.dns.directory import Directory, packed
from sampan.registry.dns.lookup import DOMAIN, NODE_KINDS, Lookup, words
from sampan.registry.dns.query import Query
from sampan.registry.dns.records import Said
from sampan.registry.dns.wire import Labels, Record, Reply, UnspeakableError
from sampan.registry.identity import Identity

# `dns_config.soa`'s defaults: refresh, retry, expire, and nothing may be kept that is not there.
_SOA = (3600, 600, 86400, 0)
_DOMAIN = (DOMAIN.encode(),)


@dataclass(slots=True)
class Zone:
    """Authoritative for the domain."""

    identity: Identity
    directory: Directory
    now: Callable[[], float] = time.time
    lookup: Lookup = field(init=False)

    def __post_init__(self) -> None:
        self.lookup = Lookup(self.directory, (self.identity.datacenter.encode(), *_DOMAIN))

    def answer(self, query: Query, *, udp: bool) -> Reply:
        labels = words(query.name)
        reply = query.reply()
        if query.kind_class in (wire.IN, wire.ANY) and labels[-1:] == [DOMAIN]:
            self._ours(query, reply, labels[:-1], udp=udp)
        elif query.kind_class in (wire.IN, wire.ANY) and labels[-1:] == ["arpa"]:
            self._back(query, reply)
        else:
            reply.flags = reply.flags & ~wire.AUTHORITATIVE | wire.REFUSED
        return reply

    def _ours(self, query: Query, reply: Reply, labels: list[str], *, udp: bool) -> None:
        if query.kind == wire.SOA:
            reply.answer = [self._soa()]
            reply.authority, reply.additional = self._servers()
        elif query.kind == wire.NS:
            reply.answer, reply.additional = self._servers()
        elif query.kind == wire.AXFR:
            reply.flags |= wire.NOTIMP
        else:
            self._look(query, reply, labels, udp=udp)

    def _look(self, query: Query, reply: Reply, labels: list[str], *, udp: bool) -> None:
        asked = names.read(labels, service=query.kind == wire.SRV)
        own = self.identity.datacenter.lower()
        if isinstance(asked, names.OfNode) and query.kind not in NODE_KINDS:
            return  # whether there is such a node is not looked at
        if asked is None or (not isinstance(asked, names.OfAddress) and asked.datacenter not in ("", own)):
            self._no_name(reply)
        elif isinstance(asked, names.OfAddress):
            _say_address(query, reply, asked.packed)
        elif isinstance(asked, names.OfNode):
            self._node(asked, query, reply, udp=udp)
        else:
            self._service(asked, query, reply, udp=udp)

    def _node(self, asked: names.OfNode, query: Query, reply: Reply, *, udp: bool) -> None:
        found = self.lookup.node(asked.node, query.name, query.kind)
        if found is None:
            self._no_name(reply)
            return
        said, notes = found
        if said and notes:
            said[0] = Said(said[0].record, (), notes)
        largest = query.largest if udp else fitting.LARGEST_TCP
        fitting.fit(reply, said, largest)
        if not said and wire.plain_length(reply) + sum(map(wire.record_length, notes)) <= largest:
            reply.additional = notes

    def _service(self, asked: names.OfService, query: Query, reply: Reply, *, udp: bool) -> None:
        instances = self.lookup.instances(asked)
        if not instances:
            self._no_name(reply)
            return
        largest, most = (query.largest, None) if udp else (fitting.LARGEST_TCP, fitting.MOST_TCP)
        if largest == fitting.SMALLEST_UDP:
            most = fitting.UDP_ANSWERS
        # More than fit would be cut off again: one more than are said is enough to know that there are more.
        smallest = fitting.SMALLEST_SERVICE if query.kind == wire.SRV else fitting.SMALLEST_ANSWER
        said = self.lookup.service(instances, query.name, query.kind, (most or largest // smallest) + 1)
        fitting.fit(reply, said, largest, most)
        if not reply.answer and not reply.flags & wire.TRUNCATED:
            reply.authority = [self._soa()]

    def _back(self, query: Query, reply: Reply) -> None:
        """Addresses to names. For an unknown one Consul fails, as it has nobody to ask."""
        address = _reversed(query.name)
        node, service = self.directory.at(address) if address else ("", "")
        try:
            name = (*wire.labels(node or service), b"node" if node else b"service", *self.lookup.here)
        except UnspeakableError:
            reply.flags = reply.flags & ~wire.AUTHORITATIVE | wire.RECURSION_AVAILABLE | wire.SERVFAIL
            return
        reply.answer = [Record(query.name, wire.PTR, (name,))]
        if query.kind == wire.SOA:
            reply.authority = [self._soa()]

    def _no_name(self, reply: Reply) -> None:
        reply.authority = [self._soa()]
        reply.flags |= wire.NXDOMAIN

    def _soa(self) -> Record:
        numbers = struct.pack("!IIIII", int(self.now()), *_SOA)
        return Record(_DOMAIN, wire.SOA, ((b"ns", *_DOMAIN), (b"hostmaster", *_DOMAIN), numbers))

    def _servers(self) -> tuple[list[Record], list[Record]]:
        """Ourselves, and our address."""
        try:
            name = (*wire.labels(self.identity.node.lower()), b"node", *self.lookup.here)
        except UnspeakableError:
            return [], []
        node = self.directory.node(self.identity.node)
        address = packed(node["Address"]) if node is not None else None
        glue = [] if address is None else [wire.address(name, address)]
        return [Record(_DOMAIN, wire.NS, (name,))], glue


def _say_address(query: Query, reply: Reply, address: bytes) -> None:
    if address:
        record = wire.address(query.name, address)
        if query.kind in (record.kind, wire.ANY):
            reply.answer = [record]
        else:
            reply.additional = [record]


def _reversed(name: Labels) -> bytes | None:
    try:
        return packed(dns.reversename.to_address(dns.name.Name((*name, b""))))
    except (dns.exception.DNSException, ValueError):
        return None
