"""The catalogue: nodes, the services on them, and (in `checks`) their checks."""

from __future__ import annotations

from sampan.registry import rows, sharing
from sampan.registry.checks import Checks, Hook, MissingError
from sampan.registry.identity import Identity
from sampan.registry.names import Names
from sampan.registry.rows import CheckRow, NodeRow, NodeService, ServiceRow
from sampan.registry.tables import Write

__all__ = ["Catalog", "Hook", "MissingError"]

_META = {"consul-network-segment": ""}


class Catalog(Checks):
    """`after_…` are the hooks; see `checks` for what holds for all operations."""

    def __init__(self, identity: Identity) -> None:
        super().__init__(identity)
        self.tags = Names(self)
        self.after_node: list[Hook[NodeRow]] = []
        self.after_service: list[Hook[ServiceRow]] = [self.tags.changed]

    def begin(self, write: Write) -> None:
        """Makes our own node what the identity says, with the check that Consul's gossip would keep."""
        own = self.identity
        for node in list(self.nodes.rows.values()):
            if node["ID"] == own.node_id and node["Node"] != own.node:
                self._rename(write, node["Node"], own.node)
        addresses = dict.fromkeys(("lan", "lan_ipv4", "wan", "wan_ipv4"), own.address)
        self.register_node(write, own.node, own.address, node_id=own.node_id, tagged_addresses=addresses, meta=_META)
        self.register_check(
            write,
            own.node,
            rows.SERF_HEALTH,
            name="Serf Health Status",
            status="passing",
            output="Agent alive and reachable",
        )

    # ---------------------------------------------------------------- nodes

    def register_node(
        self,
        write: Write,
        node: str,
        address: str,
        *,
        node_id: str = "",
        tagged_addresses: dict[str, str] | None = None,
        meta: dict[str, str] | None = None,
    ) -> NodeRow:
        before = self.node(node)
        after = NodeRow(
            ID=node_id or (before["ID"] if before else ""),
            Node=node,
            Address=address,
            Datacenter=self.identity.datacenter,
            TaggedAddresses=tagged_addresses,
            Meta=meta,
            CreateIndex=before["CreateIndex"] if before else write.index,
            ModifyIndex=before["ModifyIndex"] if before else write.index,
        )
        if before == after:
            return after
        after["ModifyIndex"] = write.index
        write.put(self.nodes, rows.node_key(node), after)
        write.touch(rows.NODES)
        self.touch_node(write, node, services=before is not None)
        for hook in self.after_node:
            hook(write, before, after)
        return after

    def deregister_node(self, write: Write, node: str) -> bool:
        """With all that is on it."""
        before = self.node(node)
        if before is None:
            return False
        for service in list(self.services_of(node)):
            self.deregister_service(write, node, service["Service"]["ID"])
        for check in list(self.checks.group("node", node.lower())):
            self.deregister_check(write, node, check["CheckID"])
        write.delete(self.nodes, rows.node_key(node))
        write.touch(rows.NODES, rows.node_topic(node))
        for hook in self.after_node:
            hook(write, before, None)
        return True

    # ------------------------------------------------------------- services

    def register_service(self, write: Write, node: str, service: NodeService) -> NodeService:
        """Its indexes are set here. Raises MissingError for an unknown node."""
        if self.node(node) is None:
            raise MissingError("Missing node registration")
        key = rows.service_key(node, service["ID"])
        before = self.services.get(key)
        was = before["Service"] if before is not None else None
        after: NodeService = {
            **service,
            "CreateIndex": was["CreateIndex"] if was else write.index,
            "ModifyIndex": was["ModifyIndex"] if was else write.index,
        }
        if was == after:
            return after
        after["ModifyIndex"] = write.index
        row = ServiceRow(Node=node, Service=after)
        sharing.service(row, next(iter(self.instances(after["Service"])), None))
        write.put(self.services, key, row)
        if was is not None and (was["Service"], was["Tags"]) != (after["Service"], after["Tags"]):
            self.retell(write, node, after)
        write.touch(rows.SERVICES, rows.service_topic(after["Service"]), rows.node_topic(node))
        if was is not None:
            write.touch(rows.service_topic(was["Service"]))
        for hook in self.after_service:
            hook(write, before, row)
        return after

    def deregister_service(self, write: Write, node: str, service_id: str) -> bool:
        """With its checks."""
        key = rows.service_key(node, service_id)
        before = self.services.get(key)
        if before is None:
            return False
        for check in list(self.checks_of(node, service_id)):
            self.deregister_check(write, node, check["CheckID"])
        write.delete(self.services, key)
        write.touch(rows.SERVICES, rows.service_topic(before["Service"]["Service"]), rows.node_topic(node))
        for hook in self.after_service:
            hook(write, before, None)
        return True

    def _rename(self, write: Write, old: str, new: str) -> None:
        """The machine has another name now; what is registered on it stays."""
        services, checks = list(self.services_of(old)), list(self.checks.group("node", old.lower()))
        for check in checks:
            moved_check: CheckRow = {**check, "Node": new}
            write.delete(self.checks, rows.check_key(old, check["CheckID"]))
            write.put(self.checks, rows.check_key(new, check["CheckID"]), moved_check)
        for service in services:
            moved: ServiceRow = {**service, "Node": new}
            write.delete(self.services, rows.service_key(old, service["Service"]["ID"]))
            write.put(self.services, rows.service_key(new, service["Service"]["ID"]), moved)
        before = self.node(old)
        write.delete(self.nodes, rows.node_key(old))
        for hook in self.after_node:
            hook(write, before, None)
