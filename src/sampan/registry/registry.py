"""The registry as one object: its tables and the rules over them, without HTTP."""

from __future__ import annotations

from dataclasses import dataclass

from sampan.registry.identity import Identity
from sampan.registry.store import Store
from sampan.registry.tables import Table, Tables


@dataclass(frozen=True, slots=True)
class Registry:
    """What every call is handed."""

    identity: Identity
    tables: Tables


def build(identity: Identity, store: Store | None = None) -> Registry:
    """With what the store holds. `store` None: nothing survives."""
    all_tables: list[Table[dict[str, object]]] = []
    return Registry(identity, Tables(all_tables, store))
