"""Operations on nodes: the catalogue's own, as `PUT /v1/catalog/register` has them."""

from __future__ import annotations

from dataclasses import dataclass

from sampan.registry import catalog_entries
from sampan.registry.registration.catalogue import NodeEntry, Removal
from sampan.registry.registry import Registry
from sampan.registry.rows import NodeRow
from sampan.registry.tables import Write
from sampan.registry.transactions.operation import CatalogOperation, OperationError, Result, Verb, is_of, verb


@dataclass(frozen=True, slots=True)
class NodeOperation(CatalogOperation):
    """`refused`: why what was given is no node. Then `entry` is None, as it is for verbs that need the name alone."""

    verb: str
    name: str
    node_id: str
    index: int
    entry: NodeEntry | None
    refused: str = ""

    def run(self, registry: Registry, write: Write) -> list[Result]:
        return verb(_VERBS, "Node", self.verb)(self, registry, write)


def _find_node(one: NodeOperation, registry: Registry) -> NodeRow | None:
    if not one.node_id:
        return registry.catalog.node(one.name)
    return next((row for row in registry.catalog.nodes.rows.values() if row["ID"] == one.node_id), None)


def _get_node(one: NodeOperation, registry: Registry, _: Write) -> list[Result]:
    row = _find_node(one, registry)
    if row is None:
        raise OperationError(f'node "{one.name}" doesn\'t exist')
    return [{"Node": row}]


def _set_node(one: NodeOperation, registry: Registry, write: Write) -> list[Result]:
    entry = one.entry
    if entry is None:
        raise OperationError("Must provide node")
    catalog_entries.register(registry.catalog, write, entry)
    return _get_node(one, registry, write)


def _cas_node(one: NodeOperation, registry: Registry, write: Write) -> list[Result]:
    if not is_of(one.index, registry.catalog.node(one.name)):
        raise OperationError(f'failed to set node "{one.name}", index is stale')
    return _set_node(one, registry, write)


def _delete_node(one: NodeOperation, registry: Registry, write: Write) -> list[Result]:
    catalog_entries.deregister(registry.catalog, write, Removal(one.name, "", "", ""))
    return []


def _delete_cas_node(one: NodeOperation, registry: Registry, write: Write) -> list[Result]:
    row = registry.catalog.node(one.name)
    if row is None or row["ModifyIndex"] != one.index:
        raise OperationError(f'failed to delete node "{one.name}", index is stale')
    return _delete_node(one, registry, write)


_VERBS: dict[str, Verb] = {
    "get": _get_node,
    "set": _set_node,
    "cas": _cas_node,
    "delete": _delete_node,
    "delete-cas": _delete_cas_node,
}
