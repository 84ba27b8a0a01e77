"""All families of calls."""

from __future__ import annotations

from collections.abc import Iterable

from sampan.registry.api import (
    agent,
    agent_checks,
    agent_health,
    agent_services,
    catalog,
    coordinate,
    event,
    health,
    kv,
    metrics,
    session,
    status,
    txn,
    unsupported,
)
from sampan.registry.api.application import Route

FAMILIES: Iterable[Iterable[Route]] = (
    agent.ROUTES,
    agent_services.ROUTES,
    agent_checks.ROUTES,
    agent_health.ROUTES,
    metrics.ROUTES,
    catalog.ROUTES,
    health.ROUTES,
    kv.ROUTES,
    session.ROUTES,
    txn.ROUTES,
    event.ROUTES,
    coordinate.ROUTES,
    status.ROUTES,
    unsupported.ROUTES,
)
