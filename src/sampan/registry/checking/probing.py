"""Checks that look at a service: once in each interval, so many at a time."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sampan.registry.checking.clock import Clock, Timer
from sampan.registry.checking.outcome import Outcome, critical
from sampan.registry.checking.thresholds import Thresholds
from sampan.registry.checking.ttl import Found
from sampan.registry.rows import DefinitionRow
from sampan.registry.store import StoreError

Probe = Callable[[DefinitionRow], Awaitable[Outcome]]

SHORTEST_INTERVAL = 1.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Run:
    definition: DefinitionRow
    thresholds: Thresholds
    timer: Timer | None = None
    task: asyncio.Task[None] | None = None


class Probing:
    """`most`: looks in the air at once; the others wait for them, so that files do not run out."""

    def __init__(self, clock: Clock, probe: Probe, found: Found, source: random.Random, most: int) -> None:
        self._clock = clock
        self._probe = probe
        self._found = found
        self._random = source
        self._slots = asyncio.Semaphore(most)
        self._runs: dict[str, _Run] = {}

    def begin(self, check_id: str, definition: DefinitionRow) -> None:
        """First somewhere in the interval, so that ten thousand checks of one moment are not run in one moment."""
        run = self._runs[check_id] = _Run(definition, Thresholds(definition))
        self._look_later(check_id, run, self._random.random() * _interval(definition))

    def end(self, check_id: str) -> None:
        run = self._runs.pop(check_id, None)
        if run is None:
            return
        if run.timer is not None:
            run.timer.cancel()
        if run.task is not None:
            run.task.cancel()

    async def idle(self) -> None:
        """Until no look is in the air."""
        while tasks := self.tasks():
            await asyncio.gather(*tasks, return_exceptions=True)

    def tasks(self) -> list[asyncio.Task[None]]:
        return [run.task for run in self._runs.values() if run.task is not None]

    def _look_later(self, check_id: str, run: _Run, seconds: float) -> None:
        def begin() -> None:
            run.timer = None
            run.task = asyncio.get_running_loop().create_task(self._look(check_id, run))

        run.timer = self._clock.call_at(self._clock.now() + seconds, begin)

    async def _look(self, check_id: str, run: _Run) -> None:
        async with self._slots:
            try:
                outcome = await self._probe(run.definition)
            except Exception as error:
                log.exception("check %s could not be run", check_id)
                outcome = critical(str(error))
        if self._runs.get(check_id) is run:
            run.task = None
            self._tell(check_id, run, outcome)
            self._look_later(check_id, run, _interval(run.definition))

    def _tell(self, check_id: str, run: _Run, outcome: Outcome) -> None:
        status = run.thresholds.counted(outcome.status)
        if status is None:
            return
        try:
            self._found(check_id, Outcome(status, outcome.output))
        except StoreError as error:
            log.error("check %s is %s, which cannot be kept: %s", check_id, status, error)


def _interval(definition: DefinitionRow) -> float:
    return max(definition.get("Interval", 0), SHORTEST_INTERVAL)
