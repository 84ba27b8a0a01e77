"""The registry as one object: its tables and the rules over them, without HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sampan.registry.catalog import Catalog
from sampan.registry.identity import Identity
from sampan.registry.store import Store
from sampan.registry.tables import Table, Tables


@dataclass(frozen=True, slots=True)
class Registry:
    """What every call is handed."""

    identity: Identity
    tables: Tables
    catalog: Catalog


def build(identity: Identity, store: Store | None = None) -> Registry:
    """With what the store holds. `store` None: nothing survives."""
    catalog = Catalog(identity)
    all_tables: list[Table[Any]] = [catalog.nodes, catalog.services, catalog.checks, catalog.definitions]
    registry = Registry(identity, Tables(all_tables, store), catalog)
    # What follows from changes (`catalog.after_…`) is put together here, before the first write.
    with registry.tables.write() as write:
        catalog.begin(write)
    return registry
