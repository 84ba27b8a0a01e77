"""Puts on disk what must survive, off the hot path: in a thread, one write at a time, what came meanwhile together."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sampan.daemon.database import Database
from sampan.daemon.ledger import ConditionKey, Generation, Ledger, Transition
from sampan.daemon.refusals import Refusal
from sampan.model.names import Ref
from sampan.sources.last_good import Key, LastGood, Saved, difference

SECONDS_BETWEEN = 0.5
SECONDS_AFTER_FAILURE = 2.0


@dataclass(frozen=True, slots=True)
class _Batch:
    """What one write puts on disk. `before` are the documents that are there already."""

    before: LastGood
    documents: Mapping[Key, tuple[Saved, ...]]
    refused: dict[str, tuple[Refusal, ...]]
    generations: Mapping[Ref, Generation | None]
    transitions: Mapping[ConditionKey, Transition | None]
    registered: Mapping[str, Mapping[str, bytes | None]]


class Keeper:
    """`problem` is the last write's error, "" if it went well: a full disk stops no traffic, and what it did not take
    is written again. `changed` is called when `problem` became another."""

    def __init__(self, database: Database, ledger: Ledger, last_good: LastGood) -> None:
        self.problem = ""
        self.changed: Callable[[], None] = lambda: None
        self._database, self._ledger = database, ledger
        self._written = self._last_good = last_good
        self._refused: dict[str, tuple[Refusal, ...]] = {}
        self._registered: dict[str, dict[str, bytes | None]] = {}
        self._wake = asyncio.Event()
        self._writing = threading.Lock()

    def note(self, last_good: LastGood) -> None:
        """There is something to write: the ledger's dirty entries, and these documents."""
        self._last_good = last_good
        self._wake.set()

    def note_refused(self, proxy: str, refused: Iterable[Refusal]) -> None:
        self._refused[proxy] = tuple(item for item in refused if not item.passing)
        self._wake.set()

    def note_registered(self, source: str, changed: Mapping[str, bytes | None]) -> None:
        """What a registry said of its services, by key; None: gone."""
        self._registered.setdefault(source, {}).update(changed)
        self._wake.set()

    async def run(self) -> None:
        """For ever; what is noted until `close` is written then."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch = self._taken()
            problem = await asyncio.to_thread(self._write, batch)
            if problem:
                self._put_back(batch)
            if problem != self.problem:
                self.problem = problem
                self.changed()
            await asyncio.sleep(SECONDS_AFTER_FAILURE if problem else SECONDS_BETWEEN)

    def close(self) -> None:
        """Writes what is left: when all who note something have ended."""
        self._write(self._taken())

    def _taken(self) -> _Batch:
        ledger = self._ledger
        batch = _Batch(
            before=self._written,
            documents=difference(self._written, self._last_good),
            refused=self._refused,
            generations={ref: ledger.generations.get(ref) for ref in ledger.dirty_generations},
            transitions={key: ledger.transitions.get(key) for key in ledger.dirty_transitions},
            registered=self._registered,
        )
        ledger.dirty_generations.clear()
        ledger.dirty_transitions.clear()
        self._written, self._refused, self._registered = self._last_good, {}, {}
        return batch

    def _put_back(self, batch: _Batch) -> None:
        self._written = batch.before
        self._refused = {**batch.refused, **self._refused}
        for source, changed in batch.registered.items():
            self._registered[source] = {**changed, **self._registered.get(source, {})}
        self._ledger.dirty_generations.update(batch.generations)
        self._ledger.dirty_transitions.update(batch.transitions)
        self._wake.set()

    def _write(self, batch: _Batch) -> str:
        """What went wrong, or "". In any thread; one waits for the other."""
        with self._writing:
            try:
                if batch.documents:
                    self._database.save_last_good(batch.documents)
                for proxy, items in batch.refused.items():
                    self._database.save_refused(proxy, items)
                for source, changed in batch.registered.items():
                    self._database.save_registered(source, changed)
                if batch.generations or batch.transitions:
                    self._database.save_ledger(batch.generations, batch.transitions)
            except sqlite3.Error as error:
                return f"the state in {self._database.path} cannot be written: {error}"
        return ""
