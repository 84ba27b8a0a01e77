"""Checks in the catalogue, and the definitions of those that are run here.

Every operation takes the `Write` that it is a part of. What follows from a change (sessions that end with a check,
checks to start or stop) is told by hooks inside the same write: they may write, too, and must not wait.
An operation that would change nothing changes nothing: no index moves and no one wakes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, TypeVar

from sampan.registry import outputs, rows, sharing
from sampan.registry.identity import Identity
from sampan.registry.registered import Registered
from sampan.registry.rows import CheckRow, DefinitionRow, NodeService, Status
from sampan.registry.tables import Write

UPDATE_SECONDS = 300.0  # `check_update_interval`'s default

Row = TypeVar("Row")
Hook: TypeAlias = Callable[[Write, Row | None, Row | None], None]
"""(write, before, after); None: absent."""


class MissingError(Exception):
    """What the operation needs is not registered; the text is Consul's."""


class Checks(Registered):
    """`after_…` and `on_report` are the hooks."""

    def __init__(self, identity: Identity) -> None:
        super().__init__(identity)
        self.update_seconds = UPDATE_SECONDS
        """How long about a new output alone waits; 0: it is told at once."""
        self.newer_outputs: dict[str, str] = {}
        """By check id, of our own node: what a check says now, where only that has changed and is not written yet."""
        self.after_check: list[Hook[CheckRow]] = []
        self.on_report: list[Callable[[Write, str], None]] = []
        """(write, check id): a check with a TTL was reported on, whether that changed it or not."""
        self.after_definition: list[Callable[[Write, str, DefinitionRow | None, DefinitionRow | None], None]] = []
        """(write, check id, before, after): called after the check is there, and before it goes; and when it is
        registered again just as it was, since that is a sign of life."""

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

    def waits_with(self, before: CheckRow | None, status: Status, output: str) -> bool:
        """Whether a check is what it was and only says something new, which is not worth a write now."""
        if before is None or self.update_seconds <= 0:
            return False
        return before["Status"] == status and before["Output"] != output

    def report(self, write: Write, check_id: str, status: Status, output: str) -> None:
        """Of a check with a TTL, by whoever it is about. What it says anew, being what it was, is not told yet
        (checking.reports). Raises MissingError for any other."""
        definition = self.definitions.get(check_id)
        if definition is None or not definition.get("TTL"):
            raise MissingError(f'CheckID "{check_id}" does not have associated TTL')
        output = outputs.reported(definition, output)
        before = self.check(self.identity.node, check_id)
        if self.waits_with(before, status, output):
            self.newer_outputs[check_id] = output
        else:
            self.newer_outputs.pop(check_id, None)
            self.set_check_status(write, self.identity.node, check_id, status, output)
        for hook in self.on_report:
            hook(write, check_id)

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

    def retell(self, write: Write, node: str, service: NodeService) -> None:
        """A check carries its service's name and tags."""
        for check in list(self.checks_of(node, service["ID"])):
            after: CheckRow = {**check, "ServiceName": service["Service"], "ServiceTags": service["Tags"]}
            self._put_check(write, check, after)

    def _touch_check(self, write: Write, check: CheckRow) -> None:
        write.touch(rows.CHECKS)
        if check["ServiceID"]:
            write.touch(rows.service_topic(check["ServiceName"]), rows.node_topic(check["Node"]))
        else:
            self.touch_node(write, check["Node"], services=True)

    def touch_node(self, write: Write, node: str, *, services: bool) -> None:
        """What clients read of each service has its node and the node's checks in it."""
        write.touch(rows.node_topic(node))
        if services:
            for service in self.services_of(node):
                write.touch(rows.service_topic(service["Service"]["Service"]))
