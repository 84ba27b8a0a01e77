"""Documents in Consul's KV, or the embedded registry's: read as a source, and their status written back.

What speaks HTTP is imported in a thread, and only where there is a Consul: the first proxies do not wait for it.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sampan.daemon.discovery import AGAIN_SECONDS, Choice
from sampan.documents.kinds.kind_set import KindSet
from sampan.model.codes import STORE_AWAY
from sampan.model.diagnostic import Diagnostic, record
from sampan.model.meta import Origin
from sampan.model.status import Status
from sampan.sources.consul.document_keys import DOCUMENTS, LEADER, status_key
from sampan.sources.last_good import LastGood
from sampan.sources.source import CONSUL_KV, Emit, Records, SourceHealth

if TYPE_CHECKING:
    from sampan.consul.target import Target
    from sampan.daemon.afterwards import Afterwards
    from sampan.daemon.status_writer import StatusWriter
    from sampan.daemon.view import Overview

# One for the documents, one for the lock, some for what is written.
_CONNECTIONS = 16


def stored_of(choice: Choice, kinds: KindSet, last_good: LastGood, *, certain: bool) -> Stored:
    """`certain`: `last_good` is what there was."""
    return Stored(choice, kinds, not certain or any(source == CONSUL_KV for source, _ in last_good.saved))


class Stored:
    """A source. `follow` makes it write back what the overview has to say. `expected`: there were documents the last
    time."""

    name = CONSUL_KV

    def __init__(self, choice: Choice, kinds: KindSet, expected: bool) -> None:
        self._choice, self._kinds, self.expected = choice, kinds, expected
        self._overview: Overview | None = None
        self._afterwards: Afterwards | None = None
        self._writer: StatusWriter | None = None
        self._shown: dict[str, tuple[Any, Any]] = {}

    def follow(self, overview: Overview, afterwards: Afterwards) -> None:
        self._overview, self._afterwards = overview, afterwards
        before = afterwards.problems
        afterwards.problems = lambda: (*before(), self._problem())

    async def run(self, emit: Emit) -> None:
        if not self.expected:
            # As `ConsulDocuments` would, but before it is imported.
            emit(Records(self.name, whole=True, unavailable=frozenset({DOCUMENTS.rstrip("/")})))
        for module in ("sampan.sources.consul.documents", "sampan.daemon.status_writer"):
            await asyncio.to_thread(import_module, module)
        from sampan.consul.client import Client
        from sampan.sources.consul.documents import ConsulDocuments

        client = Client(await self._usable(emit), _CONNECTIONS)
        async with client, asyncio.TaskGroup() as group:
            documents = ConsulDocuments(client, self._kinds, self.expected)
            group.create_task(documents.run(emit))
            await documents.read.wait()
            await self._write(client, group)

    async def _usable(self, emit: Emit) -> Target:
        """Until what was chosen can be used: a token's file may come back."""
        from sampan.consul.target import TargetError

        while True:
            try:
                target = await self._choice.target()
                target.tls()
                return target
            except TargetError as error:
                health = SourceHealth(False, (Diagnostic(STORE_AWAY, str(error), Origin(self.name, DOCUMENTS)),))
                emit(Records(self.name, whole=True, unavailable=frozenset({DOCUMENTS.rstrip("/")}), health=health))
                await asyncio.sleep(AGAIN_SECONDS)

    async def _write(self, client: Any, group: asyncio.TaskGroup) -> None:
        """From when the documents are known: who knows none would take every status for that of a removed one."""
        from sampan.consul.lock import Lock
        from sampan.daemon.status_writer import StatusWriter

        if self._afterwards is None:
            return
        host = socket.gethostname()
        holder = json.dumps({"host": host, "pid": os.getpid(), "state": str(self._choice.runtime)})
        lock = Lock(client, LEADER, f"sampan on {host}", holder.encode())
        self._writer = StatusWriter(client, lock, self._said)
        self._writer.changed = self._afterwards.note
        self._afterwards.caught_up = self._writer.note
        self._afterwards.note()
        group.create_task(lock.run())
        group.create_task(self._writer.run())

    def _problem(self) -> str:
        said = self._writer.problem if self._writer is not None else ""
        return f"the status of documents is not written back to Consul: {said}" if said else ""

    def _said(self) -> Mapping[str, dict[str, Any]]:
        """What there is to say of each document in the KV, by the key where it is said. What did not change is not
        rendered again."""
        from sampan.daemon import shared_status

        assert self._overview is not None
        world, ledger = self._overview.pipeline.world, self._overview.ledger
        statuses = self._overview.statuses()
        mistakes: dict[str, list[Diagnostic]] = {}
        for item in self._overview.diagnostics():
            if item.origin.source == self.name:
                mistakes.setdefault(item.origin.file, []).append(item)
        shown: dict[str, tuple[Any, Any]] = {}
        for (source, key), part in world.merged.contributions.items():
            if source != self.name:
                continue
            # An object that a file defines too is the file's.
            own = next((ref for ref in part.documents if world.merged.places[ref].source == self.name), None)
            status: Status | None = statuses.get(own) if own is not None else None
            found = world.snapshot.objects[own] if own is not None else None
            sign = (status, found, found and ledger.generation(found), mistakes.get(key))
            before = self._shown.get(key)
            if before is None or before[0] != sign:
                rendered = self._overview.rendered(found, statuses).get("status") if found is not None else None
                before = (sign, shared_status.value(rendered, [record(item) for item in mistakes.get(key, ())]))
            shown[key] = before
        self._shown = shown
        return {status_key(key): value for key, (_, value) in shown.items() if value is not None}
