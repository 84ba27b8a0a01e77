"""Any further program beside the control plane, such as the registry: runs as long as the supervisor does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

from sampan.proxy import restarts
from sampan.proxy.events import Events
from sampan.proxy.logs import Log
from sampan.proxy.processes import Child, Processes


class Companion:
    """Starts the program, and again whenever it ends: no other life depends on it. `name` stands in the log."""

    def __init__(
        self,
        name: str,
        processes: Processes,
        events: Events,
        log: Log,
        command: Sequence[str],
        environment: Mapping[str, str],
    ) -> None:
        self.name = name
        self.child: Child | None = None
        self._processes = processes
        self._events = events
        self._log = log
        self._command = list(command)
        self._environment = dict(environment)
        self._stopping = False

    async def keep(self) -> None:
        """Until it is stopped or cancelled."""
        history = restarts.History()
        while not self._stopping:
            ran, how = await self._run()
            if self._stopping:
                return
            history, delay = history.after_death(restarts.COMPANION, ran)
            self._events.emit("companion", name=self.name, state="exited", how=how, delay=delay)
            when = f"in {delay} s" if delay else "at once"
            self._log.line("supervisor", f"the {self.name} ended ({how}), starts again {when}")
            await asyncio.sleep(delay)

    async def _run(self) -> tuple[float, str]:
        """Once: for how many seconds, and how it ended."""
        try:
            child = self.child = await self._processes.spawn(self.name, self._command, self._environment)
        except OSError as error:
            return 0.0, str(error)
        self._events.emit("companion", name=self.name, state="started", pid=child.pid)
        await child.exited.wait()
        self.child = None
        child.kill_group()
        return time.monotonic() - child.started, child.end

    async def stop(self, patience: float = 5.0) -> None:
        """Ends it and what it left behind."""
        self._stopping = True
        if self.child is not None:
            await self.child.stop(patience)
