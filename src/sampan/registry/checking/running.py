"""Checks by the event loop's clock, with real probes, while a block lasts."""

from __future__ import annotations

import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sampan.registry.catalog import Catalog
from sampan.registry.checking.checking import MOST_AT_ONCE, Checking
from sampan.registry.checking.clock import LoopClock
from sampan.registry.checking.probes import Probes
from sampan.registry.tables import Tables


@asynccontextmanager
async def running(catalog: Catalog, tables: Tables) -> AsyncIterator[None]:
    probes = Probes()
    checking = Checking(catalog, tables, LoopClock(), probes.probe, most=_most_at_once())
    checking.start()
    try:
        yield
    finally:
        await checking.close()
        await probes.close()


def _most_at_once() -> int:
    """A quarter of the files that may be open: the others are clients' connections."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_AT_ONCE if files == resource.RLIM_INFINITY else max(1, min(MOST_AT_ONCE, files // 4))
