"""Writes the status of documents to the KV: by one control plane at a time, what changed, once a second at most."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from sampan.consul.client import Client
from sampan.consul.errors import ConsulError, UnreachableError
from sampan.consul.kv import kv_tree
from sampan.consul.lock import Lock
from sampan.consul.outage import pause
from sampan.consul.transaction import Operation, batches, transact
from sampan.daemon import shared_status
from sampan.sources.consul.document_keys import STATUS

SECONDS = 1.0

Gather = Callable[[], Mapping[str, shared_status.Value]]
"""What is to be said now, by the key where it is said."""


class StatusWriter:
    """`gather` is asked when something may have changed. `problem` is the last error, "" if there is none; an outage is
    none, as it is told where documents are read."""

    def __init__(self, client: Client, lock: Lock, gather: Gather, seconds: float = SECONDS) -> None:
        self.problem = ""
        self.changed: Callable[[], None] = lambda: None
        self._client, self._lock, self._gather, self._seconds = client, lock, gather, seconds
        self._written: dict[str, bytes] | None = None
        self._values: dict[str, shared_status.Value] = {}
        self._gathered = False
        self._wake = asyncio.Event()
        lock.changed = self._lock_changed

    def note(self) -> None:
        """What is to be said may be something else now."""
        self._gathered = True
        self._wake.set()

    async def run(self) -> None:
        failures = 0
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                if self._lock.held and self._gathered:
                    await self._write()
                failures, problem = 0, self._lock.problem
            except ConsulError as error:
                self._written = None
                self._wake.set()
                failures += 1
                problem = "" if isinstance(error, UnreachableError) else str(error)
            if problem != self.problem:
                self.problem = problem
                self.changed()
            await asyncio.sleep(max(self._seconds, pause(failures)) if failures else self._seconds)

    def _lock_changed(self) -> None:
        self._written = None
        self._wake.set()

    async def _write(self) -> None:
        check = self._lock.check()
        if self._written is None:
            tree = await kv_tree(self._client, STATUS)
            self._written = {entry.key: entry.value for entry in tree.entries}
            self._values = {}
        written, values = self._written, dict(self._gather())
        # The same value again (the identical one) was written already.
        new = {key: value for key, value in values.items() if self._values.get(key) is not value}
        bodies = {key: shared_status.body(value, written.get(key, b"")) for key, value in new.items()}
        operations = [Operation("set", key, body) for key, body in bodies.items() if written.get(key) != body]
        operations += [Operation("delete", key) for key in sorted(written.keys() - values.keys())]
        for batch in batches(operations, first=check):
            if await transact(self._client, batch):
                # The lock is another's by now, who has begun to write.
                self._lock.lost()
                return
            for operation in batch[1:]:
                if operation.verb == "set":
                    written[operation.key] = operation.value
                else:
                    written.pop(operation.key, None)
        self._values = values
