"""Operations on checks: the catalogue's own, as `PUT /v1/catalog/register` has them."""

from __future__ import annotations

from dataclasses import dataclass

from sampan.registry import catalog_entries
from sampan.registry.registration.catalogue import CheckEntry, Removal
from sampan.registry.registry import Registry
from sampan.registry.tables import Write
from sampan.registry.transactions.operation import CatalogOperation, OperationError, Result, Verb, is_of, own_name, verb


@dataclass(frozen=True, slots=True)
class CheckOperation(CatalogOperation):
    verb: str
    node: str
    check_id: str
    index: int
    check: CheckEntry | None
    refused: str = ""

    def run(self, registry: Registry, write: Write) -> list[Result]:
        return verb(_VERBS, "Check", self.verb)(self, registry, write)


def _get_check(one: CheckOperation, registry: Registry, _: Write) -> list[Result]:
    row = registry.catalog.check(own_name(registry, one.node), one.check_id)
    if row is None:
        raise OperationError(f'check "{one.check_id}" on node "{one.node}" doesn\'t exist')
    return [{"Check": row}]


def _set_check(one: CheckOperation, registry: Registry, write: Write) -> list[Result]:
    check = one.check
    if check is None:
        raise OperationError("Must provide a check's CheckID or Name")
    row = registry.catalog.register_check(
        write,
        own_name(registry, one.node),
        check.check_id,
        name=check.name,
        status=check.status,
        notes=check.notes,
        output=check.output,
        service_id=check.service_id,
        shown=check.shown,
        # How our own node's check is run is the agent's business, and stays.
        definition=registry.catalog.definitions.get(check.check_id) if registry.catalog.is_own(one.node) else None,
    )
    return [{"Check": row}]


def _cas_check(one: CheckOperation, registry: Registry, write: Write) -> list[Result]:
    if not is_of(one.index, registry.catalog.check(own_name(registry, one.node), one.check_id)):
        raise OperationError(f'failed to set check "{one.check_id}" on node "{one.node}", index is stale')
    return _set_check(one, registry, write)


def _delete_check(one: CheckOperation, registry: Registry, write: Write) -> list[Result]:
    catalog_entries.deregister(registry.catalog, write, Removal(own_name(registry, one.node), "", "", one.check_id))
    return []


def _delete_cas_check(one: CheckOperation, registry: Registry, write: Write) -> list[Result]:
    row = registry.catalog.check(own_name(registry, one.node), one.check_id)
    if row is None or row["ModifyIndex"] != one.index:
        raise OperationError(f'failed to delete check "{one.check_id}" on node "{one.node}", index is stale')
    return _delete_check(one, registry, write)


_VERBS: dict[str, Verb] = {
    "get": _get_check,
    "set": _set_check,
    "cas": _cas_check,
    "delete": _delete_check,
    "delete-cas": _delete_cas_check,
}
