"""Findings become the catalogue's: what a check is at once, what it says only now and then.

A check that says something new each time (a counter, a time of day) would move the index and write to the disk each
time. So a changed output alone is kept aside, where the agent's own calls read it, and told to the catalogue after
half to one and a half times `check_update_interval` (UpdateCheck in agent/local/state.go).
"""

from __future__ import annotations

import logging
import random
from functools import partial

from sampan.registry.catalog import Catalog
from sampan.registry.checking.clock import Clock, Timer
from sampan.registry.checking.outcome import Outcome
from sampan.registry.store import StoreError
from sampan.registry.tables import Tables

log = logging.getLogger(__name__)


class Reports:
    """Of our own node's checks."""

    def __init__(self, catalog: Catalog, tables: Tables, clock: Clock, source: random.Random) -> None:
        self._catalog = catalog
        self._tables = tables
        self._clock = clock
        self._random = source
        self._timers: dict[str, Timer] = {}

    def report(self, check_id: str, outcome: Outcome) -> None:
        """Raises StoreError, and the catalogue stays as it is."""
        check = self._catalog.check(self._catalog.identity.node, check_id)
        if check is None:
            return
        if self._catalog.waits_with(check, outcome.status, outcome.output):
            self._catalog.newer_outputs[check_id] = outcome.output
            self._tell_later(check_id)
        elif (check["Status"], check["Output"]) == (outcome.status, outcome.output):
            self.forget(check_id)
        else:
            self._write(check_id, outcome)

    def reported(self, check_id: str) -> None:
        """The catalogue was told by the service itself."""
        if check_id in self._catalog.newer_outputs:
            self._tell_later(check_id)
        else:
            self.forget(check_id)

    def forget(self, check_id: str) -> None:
        self._catalog.newer_outputs.pop(check_id, None)
        timer = self._timers.pop(check_id, None)
        if timer is not None:
            timer.cancel()

    def close(self) -> None:
        for check_id in list(self._timers):
            self.forget(check_id)

    def _tell_later(self, check_id: str) -> None:
        if check_id not in self._timers:
            wait = self._catalog.update_seconds * (0.5 + self._random.random())
            self._timers[check_id] = self._clock.call_at(self._clock.now() + wait, partial(self._tell, check_id))

    def _tell(self, check_id: str) -> None:
        self._timers.pop(check_id)
        check = self._catalog.check(self._catalog.identity.node, check_id)
        output = self._catalog.newer_outputs.get(check_id)
        if check is None or output is None:
            return
        try:
            self._write(check_id, Outcome(check["Status"], output))
        except StoreError as error:
            log.error("what check %s says cannot be kept: %s", check_id, error)

    def _write(self, check_id: str, outcome: Outcome) -> None:
        with self._tables.write() as write:
            node = self._catalog.identity.node
            self._catalog.set_check_status(write, node, check_id, outcome.status, outcome.output)
        self.forget(check_id)
