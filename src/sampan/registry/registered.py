"""What is registered: nodes, the services on them, their checks, and how our own checks are run."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import cast

from sampan.registry import rows, sharing
from sampan.registry.identity import Identity
from sampan.registry.rows import CheckRow, DefinitionRow, NodeRow, NodeService, ServiceRow
from sampan.registry.tables import Table


class Registered:
    """The four tables and what is read of them. What changes them is `catalog.Catalog`."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.nodes: Table[NodeRow] = Table("nodes")
        self.services: Table[ServiceRow] = Table(
            "services",
            {
                "node": lambda row: (row["Node"].lower(),),
                "name": lambda row: (row["Service"]["Service"].lower(),),
                "connect": lambda row: _connects(row["Service"]),
            },
            prepared=self._shared_service,
        )
        self.checks: Table[CheckRow] = Table(
            "checks",
            {
                "node": lambda row: (row["Node"].lower(),),
                "service": lambda row: (rows.service_key(row["Node"], row["ServiceID"]),),
            },
            prepared=self._shared_check,
        )
        self.definitions: Table[DefinitionRow] = Table("definitions", prepared=self._shared_definition)
        """By check id: of our own node's checks alone."""

    def is_own(self, node: str) -> bool:
        return node.lower() == self.identity.node.lower()

    def node(self, node: str) -> NodeRow | None:
        return self.nodes.get(rows.node_key(node))

    def node_by_id(self, prefix: str) -> NodeRow | None:
        """By its id or the beginning of it, if that is no other's. Consul takes an even number of digits."""
        even = prefix[: len(prefix) // 2 * 2].lower()
        found = [row for row in self.nodes.rows.values() if row["ID"].startswith(even)] if even else []
        return found[0] if len(found) == 1 else None

    def service(self, node: str, service_id: str) -> NodeService | None:
        found = self.services.get(rows.service_key(node, service_id))
        return found["Service"] if found is not None else None

    def check(self, node: str, check_id: str) -> CheckRow | None:
        return self.checks.get(rows.check_key(node, check_id))

    def names(self) -> Collection[str]:
        """Of all services, lower-cased."""
        return cast(Collection[str], self.services.groups("name"))

    def instances(self, name: str) -> Collection[ServiceRow]:
        """Of a service, in the order of registration."""
        return self.services.group("name", name.lower())

    def connected(self, name: str) -> Collection[ServiceRow]:
        """The proxies of Consul's mesh in front of a service, and instances that are in it by themselves."""
        return self.services.group("connect", name.lower())

    def services_of(self, node: str) -> Collection[ServiceRow]:
        return self.services.group("node", node.lower())

    def checks_about(self, name: str) -> Iterator[CheckRow]:
        """Of all instances of a service."""
        for row in self.instances(name):
            yield from self.checks_of(row["Node"], row["Service"]["ID"])

    def checks_of(self, node: str, service_id: str) -> Collection[CheckRow]:
        """Of one instance; service_id "": of the node itself."""
        return self.checks.group("service", rows.service_key(node, service_id))

    def _shared_service(self, row: ServiceRow) -> ServiceRow:
        sharing.service(row, next(iter(self.instances(row["Service"]["Service"])), None))
        return row

    def _shared_check(self, row: CheckRow) -> CheckRow:
        sharing.check(row, self.service(row["Node"], row["ServiceID"]) if row["ServiceID"] else None)
        return row

    def _shared_definition(self, row: DefinitionRow) -> DefinitionRow:
        last = next(reversed(self.definitions.rows.values()), None)
        return last if last == row else row


def _connects(service: NodeService) -> tuple[str, ...]:
    if service.get("Kind") == "connect-proxy":
        return (service["Proxy"].get("DestinationServiceName", "").lower(),)
    return (service["Service"].lower(),) if service["Connect"].get("Native") else ()
