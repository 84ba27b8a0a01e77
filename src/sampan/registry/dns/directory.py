"""The catalogue as DNS looks at it: a service's instances ready to be said, nodes, and who has an address."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from sampan.registry import rows
from sampan.registry.catalog import Catalog
from sampan.registry.rows import CheckRow, NodeRow, ServiceRow
from sampan.registry.tables import Tables

_MOST_SERVICES = 4096


@dataclass(frozen=True, slots=True)
class Places:
    """An address, and the one of each family where they are told apart (`lan_ipv4`, `lan_ipv6` in TaggedAddresses)."""

    address: str
    ipv4: str = ""
    ipv6: str = ""


@dataclass(frozen=True, slots=True)
class Instance:
    """One that may be said: none of its checks, or of its node's, is critical."""

    node: str
    at_node: Places
    at: Places
    port: int
    weight: int
    tags: frozenset[str]
    meta: Mapping[str, str]


@lru_cache(4096)
def packed(address: str) -> bytes | None:
    """The address's bytes; None for a host name. IPv4 in IPv6 is IPv4, as in Go."""
    if "%" in address:
        return None
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).packed


@dataclass(slots=True)
class Directory:
    """What it has worked out it keeps until the catalogue's indexes move."""

    catalog: Catalog
    tables: Tables
    _services: OrderedDict[str, tuple[int, Sequence[Instance]]] = field(default_factory=OrderedDict)
    _reverse: tuple[int, Mapping[bytes, str], Mapping[bytes, str]] = (-1, {}, {})

    def service(self, name: str, tag: str) -> Sequence[Instance] | None:
        """Those that may be said; None: nothing is registered under this name (with this tag)."""
        registered = self.catalog.instances(name)
        if not registered:
            return None
        instances = self._instances(name)
        if not tag:
            return instances
        found = [instance for instance in instances if tag in instance.tags]
        if not found and not any(tag in _tags(row) for row in registered):
            return None
        return found

    def node(self, name: str) -> NodeRow | None:
        return self.catalog.node(name)

    def at(self, address: bytes) -> tuple[str, str]:
        """(node's name, service's name) of who has it, "" for none. A node counts before a service."""
        index = self.tables.index_of(rows.NODES, rows.SERVICES)
        if self._reverse[0] != index:
            self._reverse = (index, *self._addresses())
        _, nodes, services = self._reverse
        return nodes.get(address, ""), services.get(address, "")

    def _instances(self, name: str) -> Sequence[Instance]:
        key = name.lower()
        index = self.tables.index_of(rows.service_topic(key))
        kept = self._services.get(key)
        if kept is not None and kept[0] == index:
            self._services.move_to_end(key)
            return kept[1]
        found = [self._instance(row) for row in self.catalog.instances(name)]
        made = tuple(instance for instance in found if instance is not None)
        self._services[key] = (index, made)
        if len(self._services) > _MOST_SERVICES:
            self._services.popitem(last=False)
        return made

    def _instance(self, row: ServiceRow) -> Instance | None:
        node, service = self.catalog.node(row["Node"]), row["Service"]
        if node is None:
            return None
        checks = [*self.catalog.checks_of(row["Node"], service["ID"]), *self.catalog.checks_of(row["Node"], "")]
        weight = _weight(row, checks)
        if weight is None:
            return None
        at_node = node["TaggedAddresses"] or {}
        at = {kind: place["Address"] for kind, place in service.get("TaggedAddresses", {}).items()}
        return Instance(
            node["Node"],
            Places(node["Address"], at_node.get("lan_ipv4", ""), at_node.get("lan_ipv6", "")),
            Places(service["Address"], at.get("lan_ipv4", ""), at.get("lan_ipv6", "")),
            service["Port"],
            weight,
            _tags(row),
            node["Meta"] or {},
        )

    def _addresses(self) -> tuple[Mapping[bytes, str], Mapping[bytes, str]]:
        nodes: dict[bytes, str] = {}
        for node in self.catalog.nodes.rows.values():
            if (address := packed(node["Address"])) is not None:
                nodes.setdefault(address, node["Node"])
        services: dict[bytes, str] = {}
        for row in self.catalog.services.rows.values():
            if (address := packed(row["Service"]["Address"])) is not None:
                services.setdefault(address, row["Service"]["Service"])
        return nodes, services


def _tags(row: ServiceRow) -> frozenset[str]:
    return frozenset(tag.lower() for tag in row["Service"]["Tags"])


def _weight(row: ServiceRow, checks: Sequence[CheckRow]) -> int | None:
    """None: a check is critical."""
    statuses = {check["Status"] for check in checks}
    if "critical" in statuses:
        return None
    weights = row["Service"]["Weights"]
    return weights["Warning"] if "warning" in statuses else weights["Passing"]
