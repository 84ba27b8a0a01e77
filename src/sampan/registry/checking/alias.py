"""Alias checks: as healthy as another service, or as a node (agent/checks/alias.go)."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sampan.registry import agent
from sampan.registry.catalog import Catalog
from sampan.registry.checking.outcome import Outcome, critical
from sampan.registry.rows import CheckRow, DefinitionRow, Status


def is_alias(definition: DefinitionRow) -> bool:
    return bool(definition.get("AliasNode") or definition.get("AliasService"))


class Aliases:
    """Which alias checks there are, and which of them a change of what may concern."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._by_target: dict[tuple[str, str], set[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_target)

    def add(self, check_id: str, definition: DefinitionRow) -> None:
        for target in self._targets(definition):
            self._by_target.setdefault(target, set()).add(check_id)

    def discard(self, check_id: str, definition: DefinitionRow) -> None:
        for target in self._targets(definition):
            found = self._by_target.get(target, set())
            found.discard(check_id)
            if not found:
                self._by_target.pop(target, None)

    def of(self, node: str, service_id: str) -> Collection[str]:
        """`service_id` "": the node's own checks changed."""
        return self._by_target.get((node.lower(), service_id), ())

    def _targets(self, definition: DefinitionRow) -> set[tuple[str, str]]:
        node = (definition.get("AliasNode") or self._catalog.identity.node).lower()
        return {(node, ""), (node, definition.get("AliasService", ""))}


def outcome(catalog: Catalog, check_id: str, definition: DefinitionRow) -> Outcome:
    """The worst of the service's checks and its node's, without the alias itself."""
    node, service_id = definition.get("AliasNode", ""), definition.get("AliasService", "")
    found = catalog.checks.group("node", node.lower()) if node else agent.checks(catalog)
    checks = [check for check in found if check["ServiceID"] in ("", service_id) and check["CheckID"] != check_id]
    if not any(check["ServiceID"] == service_id for check in checks):
        there = catalog.service(node or catalog.identity.node, service_id) if service_id else catalog.node(node)
        if there is None:
            return critical(f"Service {service_id} could not be found on node {node}")
    return _worst(checks)


def _worst(checks: Iterable[CheckRow]) -> Outcome:
    status: Status = "passing"
    output = "No checks found."
    for check in checks:
        if check["Status"] != "passing":
            status = check["Status"]
            output = f'Aliased check "{check["Name"]}" failing: {check["Output"]}'
            if status == "critical":
                break
        elif status == "passing":
            output = "All checks passing."
    return Outcome(status, output)
