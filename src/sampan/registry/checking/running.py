"""Checks by the event loop's clock, with real probes, while a block lasts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sampan.registry.catalog import Catalog
from sampan.registry.checking.checking import Checking
from sampan.registry.checking.clock import LoopClock
from sampan.registry.checking.probes import Probes
from sampan.registry.tables import Tables


@asynccontextmanager
async def running(catalog: Catalog, tables: Tables) -> AsyncIterator[None]:
    probes = Probes()
    checking = Checking(catalog, tables, LoopClock(), probes.probe)
    checking.start()
    try:
        yield
    finally:
        await checking.close()
        await probes.close()
