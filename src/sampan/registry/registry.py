"""The registry as one object: its tables and the rules over them, without HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from sampan.registry.catalog import Catalog
from sampan.registry.events import Events
from sampan.registry.identity import Identity
from sampan.registry.keys import Keys
from sampan.registry.sessions import Sessions
from sampan.registry.store import Store
from sampan.registry.tables import Table, Tables


@dataclass(frozen=True, slots=True)
class Registry:
    """What every call is handed."""

    identity: Identity
    tables: Tables
    catalog: Catalog
    keys: Keys
    sessions: Sessions
    events: Events


def build(identity: Identity, store: Store | None = None, clock: Callable[[], float] = monotonic) -> Registry:
    """With what the store holds. `store` None: nothing survives."""
    catalog, keys = Catalog(identity), Keys()
    sessions = Sessions(catalog, keys, clock)
    all_tables: list[Table[Any]] = [catalog.nodes, catalog.services, catalog.checks, catalog.definitions]
    all_tables += [keys.table, sessions.table]
    registry = Registry(identity, Tables(all_tables, store), catalog, keys, sessions, Events())
    sessions.begin()
    # What follows from changes (`catalog.after_…`) is put together here, before the first write.
    with registry.tables.write() as write:
        catalog.begin(write)
    return registry
