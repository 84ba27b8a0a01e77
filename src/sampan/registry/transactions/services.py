"""Operations on services: the catalogue's own, as `PUT /v1/catalog/register` has them."""

from __future__ import annotations

from dataclasses import dataclass

from sampan.registry.registry import Registry
from sampan.registry.rows import NodeService
from sampan.registry.tables import Write
from sampan.registry.transactions.operation import CatalogOperation, OperationError, Result, Verb, is_of, own_name, verb


@dataclass(frozen=True, slots=True)
class ServiceOperation(CatalogOperation):
    verb: str
    node: str
    service_id: str
    index: int
    service: NodeService | None
    refused: str = ""

    def run(self, registry: Registry, write: Write) -> list[Result]:
        return verb(_VERBS, "Service", self.verb)(self, registry, write)


def _get_service(one: ServiceOperation, registry: Registry, _: Write) -> list[Result]:
    row = registry.catalog.service(one.node, one.service_id)
    if row is None:
        raise OperationError(f'service "{one.service_id}" on node "{one.node}" doesn\'t exist')
    return [{"Service": row}]


def _set_service(one: ServiceOperation, registry: Registry, write: Write) -> list[Result]:
    if one.service is None:
        raise OperationError("Must provide service name")
    return [{"Service": registry.catalog.register_service(write, own_name(registry, one.node), one.service)}]


def _cas_service(one: ServiceOperation, registry: Registry, write: Write) -> list[Result]:
    if not is_of(one.index, registry.catalog.service(one.node, one.service_id)):
        raise OperationError(f'failed to set service "{one.service_id}" on node "{one.node}", index is stale')
    return _set_service(one, registry, write)


def _delete_service(one: ServiceOperation, registry: Registry, write: Write) -> list[Result]:
    registry.catalog.deregister_service(write, one.node, one.service_id)
    return []


def _delete_cas_service(one: ServiceOperation, registry: Registry, write: Write) -> list[Result]:
    row = registry.catalog.service(one.node, one.service_id)
    if row is None or row["ModifyIndex"] != one.index:
        raise OperationError(f'failed to delete service "{one.service_id}" on node "{one.node}", index is stale')
    return _delete_service(one, registry, write)


_VERBS: dict[str, Verb] = {
    "get": _get_service,
    "set": _set_service,
    "cas": _cas_service,
    "delete": _delete_service,
    "delete-cas": _delete_cas_service,
}
