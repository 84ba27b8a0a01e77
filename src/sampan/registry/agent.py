"""What the agent does with the catalogue: services and checks of our own node, and maintenance.

Every operation is a part of one write. A check that is registered again keeps what it was last found to be, so that a
service which registers itself at every start does not flap (agent.snapshotCheckState in Consul).
"""

from __future__ import annotations

from collections.abc import Collection

from sampan.registry import rows
from sampan.registry.catalog import Catalog, MissingError
from sampan.registry.registration.checks import CheckRegistration
from sampan.registry.registration.services import ServiceRegistration
from sampan.registry.rows import CheckRow, NodeService, ServiceRow
from sampan.registry.tables import Write

_NO_REASON = (
    "Maintenance mode is enabled for this {what}, but no reason was provided. This is a default message."  # Consul's
)


def services(catalog: Catalog) -> Collection[ServiceRow]:
    return catalog.services_of(catalog.identity.node)


def checks(catalog: Catalog) -> list[CheckRow]:
    """Without the one that the gossip keeps in Consul: it is the catalogue's, not the agent's. What they say is newer
    than in the catalogue."""
    own = catalog.checks.group("node", rows.node_key(catalog.identity.node))
    return [_newest(catalog, check) for check in own if check["CheckID"] != rows.SERF_HEALTH]


def _newest(catalog: Catalog, check: CheckRow) -> CheckRow:
    output = catalog.newer_outputs.get(check["CheckID"])
    return check if output is None else {**check, "Output": output}


def service(catalog: Catalog, service_id: str) -> NodeService:
    """Raises MissingError."""
    found = catalog.service(catalog.identity.node, service_id)
    if found is None:
        raise MissingError(f'No service registered with ID "{service_id}"')
    return found


def register_service(catalog: Catalog, write: Write, registration: ServiceRegistration, *, replace: bool) -> None:
    """`replace`: the service's other checks go."""
    node, given = catalog.identity.node, registration.checks
    row = catalog.register_service(write, node, registration.service)
    kept = set()
    for number, check in enumerate(given, start=1):
        check_id = check.check_id or f"service:{row['ID']}" + (f":{number}" if len(given) > 1 else "")
        kept.add(check_id)
        _put(catalog, write, check, check_id, check.name or f"Service '{row['Service']}' check", row["ID"])
    if replace:
        for old in list(catalog.checks_of(node, row["ID"])):
            if old["CheckID"] not in kept:
                catalog.deregister_check(write, node, old["CheckID"])


def register_check(catalog: Catalog, write: Write, check: CheckRegistration) -> None:
    """Raises MissingError if its service is not there."""
    if check.service_id and catalog.service(catalog.identity.node, check.service_id) is None:
        raise MissingError(f'ServiceID "{check.service_id}" does not exist')
    _put(catalog, write, check, check.check_id, check.name, check.service_id)


def _put(catalog: Catalog, write: Write, check: CheckRegistration, check_id: str, name: str, service_id: str) -> None:
    node = catalog.identity.node
    before = catalog.check(node, check_id)
    catalog.register_check(
        write,
        node,
        check_id,
        name=name,
        status=before["Status"] if before else check.status or "critical",
        notes=check.notes,
        output=before["Output"] if before else "",
        service_id=service_id,
        kind=check.kind,
        definition=check.definition,
    )


def set_service_maintenance(catalog: Catalog, write: Write, service_id: str, *, on: bool, reason: str) -> None:
    """Raises MissingError."""
    row = service(catalog, service_id)
    check_id = rows.SERVICE_MAINTENANCE + row["ID"]
    notes = reason or _NO_REASON.format(what="service")
    _set_maintenance(catalog, write, check_id, "Service Maintenance Mode", notes, row["ID"], on=on)


def set_node_maintenance(catalog: Catalog, write: Write, *, on: bool, reason: str) -> None:
    notes = reason or _NO_REASON.format(what="node")
    _set_maintenance(catalog, write, rows.NODE_MAINTENANCE, "Node Maintenance Mode", notes, "", on=on)


def _set_maintenance(
    catalog: Catalog, write: Write, check_id: str, name: str, notes: str, service_id: str, *, on: bool
) -> None:
    node = catalog.identity.node
    if not on:
        catalog.deregister_check(write, node, check_id)
    elif catalog.check(node, check_id) is None:
        catalog.register_check(write, node, check_id, name=name, notes=notes, service_id=service_id, kind="maintenance")
