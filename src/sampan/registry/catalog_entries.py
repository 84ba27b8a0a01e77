"""What somebody else registers straight into the catalogue: a node with a service and checks, whole or not at all."""

from __future__ import annotations

from sampan.registry import rows
from sampan.registry.catalog import Catalog, MissingError
from sampan.registry.registration.catalogue import NodeEntry, Removal
from sampan.registry.tables import Write


def register(catalog: Catalog, write: Write, entry: NodeEntry) -> None:
    """Raises MissingError for a check of a service that is not there.

    Our own node stays as it is, alive and at its address: in Consul, too, its agent sets it right again.
    """
    _rename(catalog, write, entry)
    existing = catalog.node(entry.node)
    if existing is None or not (entry.keep_node or catalog.is_own(entry.node)):
        existing = catalog.register_node(
            write,
            entry.node,
            entry.address,
            node_id=entry.node_id,
            tagged_addresses=entry.tagged_addresses,
            meta=entry.meta,
        )
    node = existing["Node"]
    if entry.service is not None:
        catalog.register_service(write, node, entry.service)
    for check in entry.checks:
        if catalog.is_own(node) and check.check_id == rows.SERF_HEALTH:
            continue
        try:
            catalog.register_check(
                write,
                node,
                check.check_id,
                name=check.name,
                status=check.status,
                notes=check.notes,
                output=check.output,
                service_id=check.service_id,
                kind=check.kind,
                shown=check.shown,
                # One that is run here is run on: its definition is the agent's.
                definition=catalog.definitions.get(check.check_id),
            )
        except MissingError as error:
            raise MissingError(f'failed inserting check: {error} on node "{node}"') from None


def _rename(catalog: Catalog, write: Write, entry: NodeEntry) -> None:
    """A node that is known by its id has another name now: what was under the old one goes."""
    known = catalog.node_by_id(entry.node_id) if entry.node_id else None
    if known is None or known["ID"] != entry.node_id or known["Node"].lower() == entry.node.lower():
        return
    if catalog.is_own(known["Node"]):
        raise MissingError(f'Node ID "{entry.node_id}" is that of this registry\'s own node "{known["Node"]}"')
    catalog.deregister_node(write, known["Node"])


def deregister(catalog: Catalog, write: Write, removal: Removal) -> None:
    """Our own node comes back at once, without what was on it."""
    if removal.service_id:
        catalog.deregister_service(write, removal.node, removal.service_id)
    elif removal.check_id:
        catalog.deregister_check(write, removal.node, removal.check_id)
    else:
        catalog.deregister_node(write, removal.node)
    if catalog.is_own(removal.node):
        catalog.begin(write)
