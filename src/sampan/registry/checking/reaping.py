"""`DeregisterCriticalServiceAfter`: services whose check has been critical for too long go (agent.reapServices)."""

from __future__ import annotations

from collections.abc import Iterator

from sampan.registry.catalog import Catalog

# `check_reap_interval` and `check_deregister_interval_min`.
EVERY_SECONDS = 30.0
AT_LEAST_SECONDS = 60.0


class Reaping:
    """Since when which of our checks is critical: counted from its first finding, not from its registration."""

    def __init__(self, catalog: Catalog, at_least: float = AT_LEAST_SECONDS) -> None:
        self._catalog = catalog
        self._at_least = at_least
        self._since: dict[str, float] = {}

    def found(self, check_id: str, *, critical: bool, now: float) -> None:
        if critical:
            self._since.setdefault(check_id, now)
        else:
            self._since.pop(check_id, None)

    def forget(self, check_id: str) -> None:
        self._since.pop(check_id, None)

    def due(self, now: float) -> Iterator[tuple[str, str]]:
        """(service id, check id): services to deregister, each once."""
        told: set[str] = set()
        for check_id, since in self._since.items():
            after = self._catalog.definitions.rows.get(check_id, {}).get("DeregisterCriticalServiceAfter", 0)
            check = self._catalog.check(self._catalog.identity.node, check_id)
            if after <= 0 or check is None or not check["ServiceID"] or check["ServiceID"] in told:
                continue
            if now - since > max(after, self._at_least):
                told.add(check["ServiceID"])
                yield check["ServiceID"], check_id
