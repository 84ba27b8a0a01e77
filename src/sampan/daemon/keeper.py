"""Puts on disk what must survive, off the hot path: in a thread, one write at a time, what came meanwhile together."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable

from sampan.daemon.database import Database
from sampan.daemon.ledger import Ledger
from sampan.daemon.refusals import Refusal
from sampan.sources.last_good import LastGood, difference

SECONDS_BETWEEN = 0.5


class Keeper:
    """`problem` is the last write's error, "" if it went well: a full disk stops no traffic."""

    def __init__(self, database: Database, ledger: Ledger, last_good: LastGood) -> None:
        self.problem = ""
        self._database, self._ledger = database, ledger
        self._written = self._last_good = last_good
        self._refused: dict[str, tuple[Refusal, ...]] = {}
        self._wake = asyncio.Event()

    def note(self, last_good: LastGood) -> None:
        """There is something to write: the ledger's dirty entries, and these documents."""
        self._last_good = last_good
        self._wake.set()

    def note_refused(self, proxy: str, refused: Iterable[Refusal]) -> None:
        self._refused[proxy] = tuple(item for item in refused if not item.passing)
        self._wake.set()

    async def run(self) -> None:
        """For ever; what is noted when this is cancelled is written before it ends."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                await asyncio.to_thread(self._writing())
                await asyncio.sleep(SECONDS_BETWEEN)
        finally:
            self._writing()()

    def _writing(self) -> Callable[[], None]:
        """Takes what is to be written, on the event loop; the result writes it, in any thread."""
        ledger, refused = self._ledger, self._refused
        generations = {ref: ledger.generations.get(ref) for ref in ledger.dirty_generations}
        transitions = {key: ledger.transitions.get(key) for key in ledger.dirty_transitions}
        ledger.dirty_generations.clear()
        ledger.dirty_transitions.clear()
        documents = difference(self._written, self._last_good)
        self._written, self._refused = self._last_good, {}

        def write() -> None:
            try:
                if documents:
                    self._database.save_last_good(documents)
                for proxy, items in refused.items():
                    self._database.save_refused(proxy, items)
                if generations or transitions:
                    self._database.save_ledger(generations, transitions)
                self.problem = ""
            except sqlite3.Error as error:
                self.problem = f"the state in {self._database.path} cannot be written: {error}"

        return write
