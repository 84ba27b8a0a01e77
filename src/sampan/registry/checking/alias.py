"""Alias checks: as healthy as another service, or as a node (agent/checks/alias.go)."""

from __future__ import annotations

from collections.abc import Iterable

from sampan.registry import agent
from sampan.registry.catalog import Catalog
from sampan.registry.checking.outcome import Outcome, critical
from sampan.registry.rows import CheckRow, DefinitionRow, Status


def is_alias(definition: DefinitionRow) -> bool:
    return bool(definition.get("AliasNode") or definition.get("AliasService"))


def follows(catalog: Catalog, definition: DefinitionRow, node: str, service_id: str) -> bool:
    """Whether a change of this service on this node (service_id "": of the node's own checks) may change it."""
    of_node = definition.get("AliasNode") or catalog.identity.node
    return of_node.lower() == node.lower() and service_id in ("", definition.get("AliasService", ""))


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
