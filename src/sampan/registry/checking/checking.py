"""All checks of our own node: started and stopped with their definitions, and their findings told to the catalogue.

The catalogue's hooks only note that something changed; what follows is done when the write is over, from what the
tables then say, so a write that was undone starts nothing.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from sampan.registry.catalog import Catalog
from sampan.registry.checking import alias, reaping
from sampan.registry.checking.alias import Aliases
from sampan.registry.checking.clock import Clock, Timer
from sampan.registry.checking.outcome import Outcome, critical
from sampan.registry.checking.reaping import Reaping
from sampan.registry.checking.reports import Reports
from sampan.registry.checking.thresholds import Thresholds
from sampan.registry.rows import CheckRow, DefinitionRow, ServiceRow
from sampan.registry.store import StoreError
from sampan.registry.tables import Tables, Write

Probe = Callable[[DefinitionRow], Awaitable[Outcome]]

SHORTEST_INTERVAL = 1.0
# Probes in the air at once: past this they wait for one another, so that files do not run out.
MOST_AT_ONCE = 512
_AGAIN_SECONDS = 5.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Run:
    """A check while it is run. `last` is a TTL's last report."""

    definition: DefinitionRow
    thresholds: Thresholds
    timer: Timer | None = None
    task: asyncio.Task[None] | None = None
    last: str = ""
    due: float = 0.0

    def stop(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        if self.task is not None:
            self.task.cancel()


@dataclass(slots=True)
class _Noted:
    """Since the last look."""

    defined: set[str] = field(default_factory=set)
    reported: set[str] = field(default_factory=set)
    changed: set[tuple[str, str]] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.defined or self.reported or self.changed)


class Checking:
    """Notes changes from the beginning; runs checks from `start` to `close`."""

    def __init__(
        self, catalog: Catalog, tables: Tables, clock: Clock, probe: Probe, source: random.Random | None = None
    ) -> None:
        self._catalog = catalog
        self._tables = tables
        self._clock = clock
        self._probe = probe
        self._random = source or random.Random()
        self._runs: dict[str, _Run] = {}
        self._aliases = Aliases(catalog)
        self._noted = _Noted()
        self._looking: Timer | None = None
        self._reaper: Timer | None = None
        self._started = False
        self._slots = asyncio.Semaphore(MOST_AT_ONCE)
        self._reaping = Reaping(catalog)
        self._reports = Reports(catalog, tables, clock, self._random)
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
        tasks = [run.task for run in self._runs.values() if run.task is not None]
        for check_id in list(self._runs):
            self._end(check_id)
        for timer in (self._looking, self._reaper):
            if timer is not None:
                timer.cancel()
        self._reports.close()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def idle(self) -> None:
        """Until no probe is in the air."""
        while tasks := [run.task for run in self._runs.values() if run.task is not None]:
            await asyncio.gather(*tasks, return_exceptions=True)

    # ----------------------------------------------------------- what changed

    def _on_definition(
        self, _: Write, check_id: str, before: DefinitionRow | None, after: DefinitionRow | None
    ) -> None:
        self._noted.defined.add(check_id)
        self._look_later()

    def _on_report(self, _: Write, check_id: str) -> None:
        self._noted.reported.add(check_id)
        self._look_later()

    def _on_check(self, _: Write, before: CheckRow | None, after: CheckRow | None) -> None:
        # An alias follows what a check is, not what it says: two aliases of one another would talk for ever.
        if self._aliases and (before is None or after is None or before["Status"] != after["Status"]):
            check = after or before
            assert check is not None
            self._noted.changed.add((check["Node"], check["ServiceID"]))
            self._look_later()

    def _on_service(self, _: Write, before: ServiceRow | None, after: ServiceRow | None) -> None:
        if self._aliases and (before is None or after is None):
            row = after or before
            assert row is not None
            self._noted.changed.add((row["Node"], row["Service"]["ID"]))
            self._look_later()

    def _look_later(self) -> None:
        if self._looking is None and self._started:
            self._looking = self._clock.call_at(self._clock.now(), self._look)

    def _look(self) -> None:
        self._looking = None
        noted, self._noted = self._noted, _Noted()
        for check_id in noted.defined:
            self._defined(check_id)
        for check_id in noted.reported:
            self._reported(check_id)
        for check_id in {found for change in noted.changed for found in self._aliases.of(*change)}:
            self._follow(check_id)

    def _defined(self, check_id: str) -> None:
        definition, run = self._catalog.definitions.get(check_id), self._runs.get(check_id)
        if definition is None:
            self._end(check_id)
            self._reaping.forget(check_id)
            self._reports.forget(check_id)
        elif run is None or run.definition != definition:
            self._end(check_id)
            self._begin(check_id, definition)
        elif definition.get("TTL"):
            self._expire_later(check_id, run)  # registered again as it was: alive

    # ------------------------------------------------------------------- runs

    def _begin(self, check_id: str, definition: DefinitionRow) -> None:
        run = self._runs[check_id] = _Run(definition, Thresholds(definition))
        if definition.get("TTL"):
            self._expire_later(check_id, run)
        elif alias.is_alias(definition):
            self._aliases.add(check_id, definition)
            self._follow(check_id)
        else:
            # Somewhere in the interval, so that ten thousand checks of one moment are not run in one moment.
            self._probe_later(check_id, run, self._random.random() * _interval(definition))

    def _end(self, check_id: str) -> None:
        run = self._runs.pop(check_id, None)
        if run is not None:
            run.stop()
            self._aliases.discard(check_id, run.definition)

    def _found(self, check_id: str, outcome: Outcome) -> None:
        """Raises StoreError."""
        self._reaping.found(check_id, critical=outcome.status == "critical", now=self._clock.now())
        self._reports.report(check_id, outcome)

    # ----------------------------------------------------------------- probes

    def _probe_later(self, check_id: str, run: _Run, seconds: float) -> None:
        def begin() -> None:
            run.timer = None
            run.task = asyncio.get_running_loop().create_task(self._probe_now(check_id, run))

        run.timer = self._clock.call_at(self._clock.now() + seconds, begin)

    async def _probe_now(self, check_id: str, run: _Run) -> None:
        async with self._slots:
            try:
                outcome = await self._probe(run.definition)
            except Exception as error:
                log.exception("check %s could not be run", check_id)
                outcome = critical(str(error))
        if self._runs.get(check_id) is not run:
            return
        run.task = None
        status = run.thresholds.counted(outcome.status)
        if status is not None:
            try:
                self._found(check_id, Outcome(status, outcome.output))
            except StoreError as error:
                log.error("check %s is %s, which cannot be kept: %s", check_id, status, error)
        self._probe_later(check_id, run, _interval(run.definition))

    # -------------------------------------------------------------------- TTL

    def _reported(self, check_id: str) -> None:
        run, check = self._runs.get(check_id), self._catalog.check(self._catalog.identity.node, check_id)
        if run is not None and check is not None:
            run.last = self._catalog.newer_outputs.get(check_id, check["Output"])
            self._reports.reported(check_id)
            self._reaping.found(check_id, critical=check["Status"] == "critical", now=self._clock.now())
            self._expire_later(check_id, run)

    def _expire_later(self, check_id: str, run: _Run) -> None:
        run.due = self._clock.now() + run.definition["TTL"]
        if run.timer is None:
            self._wait_for_expiry(check_id, run)

    def _wait_for_expiry(self, check_id: str, run: _Run) -> None:
        """One timer for each: it is not set anew at every report, but looks when it was the last."""

        def look() -> None:
            run.timer = None
            if self._clock.now() < run.due:
                self._wait_for_expiry(check_id, run)
            else:
                self._expired(check_id, run)

        run.timer = self._clock.call_at(run.due, look)

    def _expired(self, check_id: str, run: _Run) -> None:
        words = "TTL expired" + (f" (last output before timeout follows): {run.last}" if run.last else "")
        try:
            self._found(check_id, critical(words))
        except StoreError as error:
            log.error("the TTL of check %s has expired, which cannot be kept: %s", check_id, error)
            run.due = self._clock.now() + _AGAIN_SECONDS
            self._wait_for_expiry(check_id, run)

    # ----------------------------------------------------------------- others

    def _follow(self, check_id: str) -> None:
        try:
            self._found(check_id, alias.outcome(self._catalog, check_id, self._runs[check_id].definition))
        except StoreError as error:
            log.error("alias check %s cannot be kept: %s", check_id, error)

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


def _interval(definition: DefinitionRow) -> float:
    return max(definition.get("Interval", 0), SHORTEST_INTERVAL)
