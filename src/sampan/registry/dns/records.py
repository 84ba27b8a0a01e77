"""An instance, or a node, as records: what Consul says where an address is one, another family's, or a host name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sampan.registry.dns import wire
from sampan.registry.dns.directory import Instance, Places, packed
from sampan.registry.dns.wire import Labels, Record

Resolve = Callable[[str], Sequence[Record]]
"""What a host name stands for, as far as it is ours to know."""


@dataclass(frozen=True, slots=True)
class Said:
    """A record of the answer with what goes with it: `extras` for its target, `notes` (a node's meta) if they fit."""

    record: Record
    extras: Sequence[Record] = ()
    notes: Sequence[Record] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """Where an instance is: an address, under a name of ours; or (address None) a host name of somebody else's."""

    host: str
    address: bytes | None = None
    at_node: bool = False


def target(instance: Instance, kind: int, asked: str) -> Target | None:
    """`asked` is the name in the question, as text. None: it has no address at all."""
    at, at_node = place(instance.at, kind), place(instance.at_node, kind)
    node_address = packed(at_node)
    if not at:
        if not at_node:
            return None
        return Target(at_node, node_address, at_node=at_node == instance.at_node.address)
    # An instance whose address is the very name that is asked for would be an alias of itself.
    if packed(at) is None and at.removesuffix(".") == asked and node_address is not None:
        return Target(at_node, node_address, at_node=True)
    return Target(at, packed(at))


def of_address(owner: Labels, kind: int, address: bytes) -> Record | None:
    """None where the question is for another family's."""
    fitting = wire.A if len(address) == 4 else wire.AAAA
    return wire.address(owner, address) if kind in (fitting, wire.ANY) else None


def of_host(owner: Labels, host: str, resolve: Resolve) -> list[Record]:
    return [Record(owner, wire.CNAME, (wire.labels(host),)), *resolve(host)]


def of_service(owner: Labels, instance: Instance, to: Target, domain: Labels, resolve: Resolve) -> Said:
    """An SRV record. `domain` with the datacentre in front. Raises UnspeakableError for a name that DNS has not."""
    node = (*wire.labels(instance.node), b"node", *domain)
    notes = tuple(meta(node, instance.meta))
    if to.address is None:
        name, extras = wire.labels(to.host), tuple(resolve(to.host))
    else:
        name = node if to.at_node else (to.address.hex().encode(), b"addr", *domain)
        extras = (wire.address(name, to.address),)
    return Said(wire.service(owner, instance.weight, instance.port, name), extras, notes)


def meta(owner: Labels, pairs: Mapping[str, str]) -> list[Record]:
    """RFC 1464: `key=value`. A key that begins with `rfc1035-` gives its value alone."""
    return [
        wire.text(owner, value if key.lower().startswith("rfc1035-") else f"{_key(key)}={value.replace('`', '``')}")
        for key, value in pairs.items()
    ]


def _key(key: str) -> str:
    quoted = key.replace("`", "``").replace("=", "`=")
    inner = quoted.strip(" ")
    before, after = len(quoted) - len(quoted.lstrip(" ")), len(quoted) - len(quoted.rstrip(" "))
    return "` " * before + inner + ("` " * after if inner else "")


def place(places: Places, kind: int) -> str:
    """The address of the family that is asked for, if it is told apart; IPv6 where either will do, as in Consul."""
    if kind != wire.A and places.ipv6:
        return places.ipv6
    return places.ipv4 if kind != wire.AAAA and places.ipv4 else places.address
