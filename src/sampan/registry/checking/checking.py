"""All checks of our own node: started and stopped with their definitions, and their findings told to the catalogue.

The catalogue's hooks only note that something changed; what follows is done when the write is over, from what the
tables then say, so a write that was undone starts nothing.
"""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass, field

from sampan.registry.catalog import Catalog
from sampan.registry.checking import alias, reaping
from sampan.registry.checking.alias import Aliases
from sampan.registry.checking.clock import Clock, Timer
from sampan.registry.checking.outcome import Outcome
from sampan.registry.checking.probing import Probe, Probing
from sampan.registry.checking.reaping import Reaping
from sampan.registry.checking.reports import Reports
from sampan.registry.checking.ttl import Expiries
from sampan.registry.rows import CheckRow, DefinitionRow, ServiceRow
from sampan.registry.store import StoreError
from sampan.registry.tables import Tables, Write

MOST_AT_ONCE = 2048

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Noted:
    """Since the last look: check ids, and (node, service id) of what turned."""

    gone: set[str] = field(default_factory=set)
    defined: set[str] = field(default_factory=set)
    reported: set[str] = field(default_factory=set)
    turned: set[tuple[str, str]] = field(default_factory=set)


class Checking:
    """Notes changes from the beginning; runs checks from `start` to `close`. `most`: probes at once."""

    def __init__(
        self,
        catalog: Catalog,
        tables: Tables,
        clock: Clock,
        probe: Probe,
        source: random.Random | None = None,
        most: int = MOST_AT_ONCE,
    ) -> None:
        source = source or random.Random()
        self._catalog = catalog
        self._tables = tables
        self._clock = clock
        self._begun: dict[str, DefinitionRow] = {}
        self._expiries = Expiries(clock, self._found)
        self._probing = Probing(clock, probe, self._found, source, most)
        self._aliases = Aliases(catalog)
        self._reaping = Reaping(catalog)
        self._reports = Reports(catalog, tables, clock, source)
        self._noted = _Noted()
        self._looking: Timer | None = None
        self._reaper: Timer | None = None
        self._started = False
        catalog.after_definition.append(self._on_definition)
        catalog.on_report.append(self._on_report)
        catalog.after_check.append(self._on_check)
        catalog.after_service.append(self._on_service)

    def start(self) -> None:
        self._started = True
        for check_id, definition in self._catalog.definitions.rows.items():
            self._begin(check_id, definition)
        self._noted = _Noted()
        self._reap_later()

    async def close(self) -> None:
        self._started = False
        tasks = self._probing.tasks()
        for check_id in list(self._begun):
            self._end(check_id)
        for timer in (self._looking, self._reaper):
            if timer is not None:
                timer.cancel()
        self._reports.close()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def idle(self) -> None:
        """Until no probe is in the air."""
        await self._probing.idle()

    # ----------------------------------------------------------- what changed

    def _on_definition(self, _: Write, check_id: str, __: DefinitionRow | None, after: DefinitionRow | None) -> None:
        (self._noted.defined if after is not None else self._noted.gone).add(check_id)
        self._look_later()

    def _on_report(self, _: Write, check_id: str) -> None:
        self._noted.reported.add(check_id)
        self._look_later()

    def _on_check(self, _: Write, before: CheckRow | None, after: CheckRow | None) -> None:
        # An alias follows what a check is, not what it says: two aliases of one another would talk for ever.
        if self._aliases and (before is None or after is None or before["Status"] != after["Status"]):
            check = after or before
            assert check is not None
            self._noted.turned.add((check["Node"], check["ServiceID"]))
            self._look_later()

    def _on_service(self, _: Write, before: ServiceRow | None, after: ServiceRow | None) -> None:
        if self._aliases and (before is None or after is None):
            row = after or before
            assert row is not None
            self._noted.turned.add((row["Node"], row["Service"]["ID"]))
            self._look_later()

    def _look_later(self) -> None:
        if self._looking is None and self._started:
            self._looking = self._clock.call_at(self._clock.now(), self._look)

    def _look(self) -> None:
        self._looking = None
        noted, self._noted = self._noted, _Noted()
        for check_id in noted.gone:
            self._end(check_id)
            self._reaping.forget(check_id)
            self._reports.forget(check_id)
        for check_id in noted.gone | noted.defined:
            self._defined(check_id)
        for check_id in noted.reported & self._begun.keys():
            self._reported(check_id)
        for check_id in {found for one in noted.turned for found in self._aliases.of(*one)}:
            self._follow(check_id)

    def _defined(self, check_id: str) -> None:
        definition, begun = self._catalog.definitions.get(check_id), self._begun.get(check_id)
        if definition is None:
            return
        self._reaping.forget(check_id)
        if begun is not None:
            self._count(check_id)
        if definition != begun:
            self._end(check_id)
            self._begin(check_id, definition)
        else:
            self._expiries.renew(check_id)  # registered again as it was, which is a sign of life

    def _reported(self, check_id: str) -> None:
        check = self._catalog.check(self._catalog.identity.node, check_id)
        if check is not None:
            self._reports.reported(check_id)
            self._count(check_id)
            self._expiries.renew(check_id, self._catalog.newer_outputs.get(check_id, check["Output"]))

    # ------------------------------------------------------------------- runs

    def _begin(self, check_id: str, definition: DefinitionRow) -> None:
        self._begun[check_id] = definition
        if definition.get("TTL"):
            self._expiries.begin(check_id, definition["TTL"])
        elif alias.is_alias(definition):
            self._aliases.add(check_id, definition)
            self._follow(check_id)
        else:
            self._probing.begin(check_id, definition)

    def _end(self, check_id: str) -> None:
        definition = self._begun.pop(check_id, None)
        if definition is not None:
            self._expiries.end(check_id)
            self._probing.end(check_id)
            self._aliases.discard(check_id, definition)

    def _found(self, check_id: str, outcome: Outcome) -> None:
        """Raises StoreError."""
        self._reaping.found(check_id, critical=outcome.status == "critical", now=self._clock.now())
        self._reports.report(check_id, outcome)

    def _count(self, check_id: str) -> None:
        """For the reaper, what it is by itself."""
        check = self._catalog.check(self._catalog.identity.node, check_id)
        if check is not None:
            self._reaping.found(check_id, critical=check["Status"] == "critical", now=self._clock.now())

    def _follow(self, check_id: str) -> None:
        try:
            self._found(check_id, alias.outcome(self._catalog, check_id, self._begun[check_id]))
        except StoreError as error:
            log.error("alias check %s cannot be kept: %s", check_id, error)

    # ----------------------------------------------------------------- reaper

    def _reap_later(self) -> None:
        self._reaper = self._clock.call_at(self._clock.now() + reaping.EVERY_SECONDS, self._reap)

    def _reap(self) -> None:
        node = self._catalog.identity.node
        for service_id, check_id in list(self._reaping.due(self._clock.now())):
            try:
                with self._tables.write() as write:
                    self._catalog.deregister_service(write, node, service_id)
            except StoreError as error:
                log.error("service %s cannot be deregistered: %s", service_id, error)
            else:
                log.info("check %s of service %s was critical for too long: deregistered", check_id, service_id)
        self._reap_later()
