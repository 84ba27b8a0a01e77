"""The catalogue: nodes, the services on them, their checks, and how our own checks are run.

Every operation takes the `Write` that it is a part of. What follows from a change (sessions that end with a check,
checks to start or stop) is told by hooks inside the same write: they may write, too, and must not wait.
An operation that would change nothing changes nothing: no index moves and no one wakes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, TypeVar

from sampan.registry import rows, sharing
from sampan.registry.checking.outcome import largest_output
from sampan.registry.identity import Identity
from sampan.registry.names import Names
from sampan.registry.registered import Registered
from sampan.registry.rows import CheckRow, DefinitionRow, NodeRow, NodeService, ServiceRow, Status
from sampan.registry.tables import Write

Row = TypeVar("Row")
Hook: TypeAlias = Callable[[Write, Row | None, Row | None], None]
"""(write, before, after); None: absent."""


class MissingError(Exception):
    """What the operation needs is not registered; the text is Consul's."""


class Catalog(Registered):
    """`after_…` are the hooks."""

    def __init__(self, identity: Identity) -> None:
        super().__init__(identity)
        self.newer_outputs: dict[str, str] = {}
        """By check id, of our own node: what a check says now, where only that has changed and is not written yet."""
        self.tags = Names(self)
        self.after_node: list[Hook[NodeRow]] = []
        self.after_service: list[Hook[ServiceRow]] = [self.tags.changed]
        self.after_check: list[Hook[CheckRow]] = []
        self.on_report: list[Callable[[Write, str], None]] = []
        """(write, check id): a check with a TTL was reported on, whether that changed it or not."""
        self.after_definition: list[Callable[[Write, str, DefinitionRow | None, DefinitionRow | None], None]] = []
        """(write, check id, before, after): called after the check is there, and before it goes; and when it is
        registered again just as it was, since that is a sign of life."""

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
        self._touch_node(write, node, services=before is not None)
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
            self._retell(write, node, after)
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

    # --------------------------------------------------------------- checks

    def register_check(
        self,
        write: Write,
        node: str,
        check_id: str,
        *,
        name: str,
        status: Status = "critical",
        notes: str = "",
        output: str = "",
        service_id: str = "",
        kind: str = "",
        shown: dict[str, object] | None = None,
        definition: DefinitionRow | None = None,
    ) -> CheckRow:
        """`shown`: the definition that clients read in the catalogue. Raises MissingError without node or service."""
        if self.node(node) is None:
            raise MissingError("Missing node registration")
        service = self.service(node, service_id) if service_id else None
        if service_id and service is None:
            raise MissingError("Missing service registration")
        before = self.check(node, check_id)
        after = CheckRow(
            Node=node,
            CheckID=check_id,
            Name=name,
            Status=status,
            Notes=notes,
            Output=output,
            ServiceID=service_id,
            ServiceName=service["Service"] if service else "",
            ServiceTags=service["Tags"] if service else [],
            Type=kind,
            Definition=shown or sharing.NOTHING,
            CreateIndex=before["CreateIndex"] if before else write.index,
            ModifyIndex=before["ModifyIndex"] if before else write.index,
        )
        sharing.check(after, service)
        self._put_check(write, before, after)
        if self.is_own(node):
            self._define(write, check_id, definition)
        return after

    def deregister_check(self, write: Write, node: str, check_id: str) -> bool:
        before = self.check(node, check_id)
        if before is None:
            return False
        if self.is_own(node):
            self._define(write, check_id, None)
        write.delete(self.checks, rows.check_key(node, check_id))
        self._touch_check(write, before)
        for hook in self.after_check:
            hook(write, before, None)
        return True

    def set_check_status(self, write: Write, node: str, check_id: str, status: Status, output: str) -> CheckRow:
        """Raises MissingError for a check that is not there."""
        before = self.check(node, check_id)
        if before is None:
            raise MissingError(f'Unknown check "{check_id}"')
        after: CheckRow = {**before, "Status": status, "Output": output}
        self._put_check(write, before, after)
        return after

    def report(self, write: Write, check_id: str, status: Status, output: str) -> None:
        """Of a check with a TTL, by whoever it is about. Raises MissingError for any other."""
        definition = self.definitions.get(check_id)
        if definition is None or not definition.get("TTL"):
            raise MissingError(f'CheckID "{check_id}" does not have associated TTL')
        self.set_check_status(write, self.identity.node, check_id, status, _cut(output, definition))
        for hook in self.on_report:
            hook(write, check_id)

    # -------------------------------------------------------------- the rest

    def _put_check(self, write: Write, before: CheckRow | None, after: CheckRow) -> None:
        if before == after:
            return
        after["ModifyIndex"] = write.index
        write.put(self.checks, rows.check_key(after["Node"], after["CheckID"]), after)
        self._touch_check(write, after)
        if before is not None and before["ServiceID"] != after["ServiceID"]:
            self._touch_check(write, before)
        for hook in self.after_check:
            hook(write, before, after)

    def _define(self, write: Write, check_id: str, after: DefinitionRow | None) -> None:
        before = self.definitions.get(check_id)
        if before is None and after is None:
            return
        if after is None:
            write.delete(self.definitions, check_id)
        elif before != after:
            write.put(self.definitions, check_id, after)
        for hook in self.after_definition:
            hook(write, check_id, before, after)

    def _retell(self, write: Write, node: str, service: NodeService) -> None:
        """A check carries its service's name and tags."""
        for check in list(self.checks_of(node, service["ID"])):
            after: CheckRow = {**check, "ServiceName": service["Service"], "ServiceTags": service["Tags"]}
            self._put_check(write, check, after)

    def _touch_check(self, write: Write, check: CheckRow) -> None:
        write.touch(rows.CHECKS)
        if check["ServiceID"]:
            write.touch(rows.service_topic(check["ServiceName"]), rows.node_topic(check["Node"]))
        else:
            self._touch_node(write, check["Node"], services=True)

    def _touch_node(self, write: Write, node: str, *, services: bool) -> None:
        """What clients read of each service has its node and the node's checks in it."""
        write.touch(rows.node_topic(node))
        if services:
            for service in self.services_of(node):
                write.touch(rows.service_topic(service["Service"]["Service"]))

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


def _cut(output: str, definition: DefinitionRow) -> str:
    most, whole = largest_output(definition), len(output)
    return output if whole <= most else f"{output[:most]} ... (captured {most} of {whole} bytes)"


_META = {"consul-network-segment": ""}
