"""What the catalogue has for a name, as records: instances in random order, nodes, and host names of our own."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sampan.registry.dns import fitting, names, records, wire
from sampan.registry.dns.directory import Directory, Instance, Places, packed
from sampan.registry.dns.records import Said
from sampan.registry.dns.wire import Labels, Record, UnspeakableError

DOMAIN = "consul"
_DEEPEST = 3
NODE_KINDS = (wire.ANY, wire.A, wire.AAAA, wire.TXT)


@dataclass(slots=True)
class Lookup:
    """`here`: the domain with the datacentre in front."""

    directory: Directory
    here: Labels
    random: random.Random = field(default_factory=random.Random)

    def instances(self, asked: names.OfService) -> Sequence[Instance]:
        for tag, name in asked.readings:
            found = self.directory.service(name, tag)
            if found is not None:
                return found
        return ()

    def service(self, instances: Sequence[Instance], owner: Labels, kind: int, most: int, depth: int = 0) -> list[Said]:
        """In random order, each record once."""
        text = words_of(owner)
        said: dict[Record, Said] = {}
        aliases: list[Record] = []
        for instance in _shuffled(instances, self.random):
            to = records.target(instance, kind, text)
            if to is None:
                continue
            try:
                if kind == wire.SRV:
                    one = records.of_service(owner, instance, to, self.here, lambda host: self.resolve(host, depth))
                    said.setdefault(one.record, one)
                elif to.address is not None:
                    record = records.of_address(owner, kind, to.address)
                    if record is not None:
                        said.setdefault(record, Said(record))
                elif not aliases and not said:
                    aliases = records.of_host(owner, to.host, lambda host: self.resolve(host, depth))
            except UnspeakableError:
                continue  # registered under a name, or with a host, that DNS cannot say
            if len(said) >= most:
                break
        # A name with an alias has nothing else (RFC 1034), so addresses go before aliases.
        return list(said.values()) or [Said(record) for record in aliases]

    def node(self, name: str, owner: Labels, kind: int, depth: int = 0) -> tuple[list[Said], list[Record]] | None:
        """The answer, and the meta for beside it, unless that is asked for. None: there is no such node. `kind` is one
        of NODE_KINDS."""
        node = self.directory.node(name)
        if node is None:
            return None
        said: list[Said] = []
        if kind != wire.TXT:
            tagged = node["TaggedAddresses"] or {}
            places = Places(node["Address"], tagged.get("lan_ipv4", ""), tagged.get("lan_ipv6", ""))
            said = [Said(record) for record in self._place(records.place(places, kind), owner, kind, depth)]
        notes = records.meta(owner, node["Meta"] or {})
        if kind in (wire.TXT, wire.ANY):
            return said + [Said(record) for record in notes], []
        return said, notes

    def resolve(self, host: str, depth: int) -> Sequence[Record]:
        """A host name that is one of ours: all that a lookup by UDP would give."""
        owner = wire.labels(host)
        labels = words(owner)
        if labels[-1] != DOMAIN or depth >= _DEEPEST:
            return ()
        match names.read(labels[:-1], service=False):
            case names.OfAddress(address) if address:
                return [wire.address(owner, address)]
            case names.OfNode(node):
                said = (self.node(node, owner, wire.ANY, depth + 1) or ([], []))[0]
            case names.OfService() as asked:
                said = self.service(self.instances(asked), owner, wire.ANY, fitting.UDP_ANSWERS, depth + 1)
            case _:
                return ()
        return [one.record for one in said if one.record.kind in (wire.A, wire.AAAA, wire.CNAME)]

    def _place(self, place: str, owner: Labels, kind: int, depth: int) -> Sequence[Record]:
        address = packed(place)
        if address is not None:
            record = records.of_address(owner, kind, address)
            return [] if record is None else [record]
        try:
            return records.of_host(owner, place, lambda host: self.resolve(host, depth))
        except UnspeakableError:
            return []


def words(name: Labels) -> list[str]:
    return [label.decode("utf-8", "surrogateescape").lower() for label in name]


def words_of(name: Labels) -> str:
    return ".".join(label.decode("utf-8", "surrogateescape") for label in name)


def _shuffled(instances: Sequence[Instance], source: random.Random) -> Iterator[Instance]:
    """Random, and no more work than is taken."""
    rest = list(range(len(instances)))
    for last in range(len(rest) - 1, -1, -1):
        at = int(source.random() * (last + 1))
        rest[at], rest[last] = rest[last], rest[at]
        yield instances[rest[last]]
