"""What a name under the domain asks for: `[tag.]NAME.service[.DC]`, `NODE.node[.DC]`, `HEX.addr[.DC]`, RFC 2782.

As Consul reads them (dispatch in agent/dns.go), and one thing more: names of services with dots in them, which
Consul's reading takes for tags. Its reading goes first; a longer name counts where that one finds nothing registered.
"""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Sequence
from dataclasses import dataclass

_KINDS = ("service", "connect", "ingress", "node", "query", "addr")


@dataclass(frozen=True, slots=True)
class OfService:
    """`readings`: (tag, name) in the order in which they count; tag "" for any."""

    readings: Sequence[tuple[str, str]]
    datacenter: str = ""


@dataclass(frozen=True, slots=True)
class OfNode:
    node: str
    datacenter: str = ""


@dataclass(frozen=True, slots=True)
class OfAddress:
    """`packed` b"" for digits of no address's length."""

    packed: bytes


Asked = OfService | OfNode | OfAddress


def read(labels: Sequence[str], *, service: bool) -> Asked | None:
    """None: no such name can be. `labels` lower-cased, without the domain; `service`: an SRV record is asked for."""
    for at in range(len(labels) - 1, -1, -1):
        if labels[at] in _KINDS:
            return _read(labels[at], labels[:at], labels[at + 1 :])
        if service and labels[at].startswith("_"):
            # `_web._tcp.consul`: an SRV record is a service's anyway.
            return _read("service", labels[: at + 1], labels[at + 1 :])
    return None


def _read(kind: str, before: Sequence[str], after: Sequence[str]) -> Asked | None:
    if not before or (len(after) > 1 and kind != "addr"):
        return None
    datacenter = after[0] if after else ""
    match kind:
        case "service":
            return OfService(tuple(_readings(before)), datacenter)
        case "node":
            return OfNode(".".join(before), datacenter)
        case "addr" if len(before) == 1:
            return _address(before[0])
    return None  # prepared queries and Connect's names: there are none here


def _readings(labels: Sequence[str]) -> list[tuple[str, str]]:
    first, last = labels[0], labels[-1]
    if len(labels) > 1 and first.startswith("_") and last.startswith("_"):
        tag = "" if last == "_tcp" else last[1:]
        rfc_2782 = (tag, ".".join(labels[:-1])[1:])
        return [rfc_2782] if len(labels) == 2 else [(".".join(labels[:-1]), last), rfc_2782]
    return [(".".join(labels[:at]), ".".join(labels[at:])) for at in range(len(labels) - 1, -1, -1)]


def _address(digits: str) -> OfAddress | None:
    if len(digits) not in (8, 9, 32, 33):  # Consul divides the length by two
        return OfAddress(b"")
    try:
        return OfAddress(unhexlify(digits))
    except ValueError:
        return None
