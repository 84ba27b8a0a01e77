"""Envoy's siblings: the control plane, and the replay server that stands in for it while it is away."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from sampan.proxy import restarts
from sampan.proxy.events import Events
from sampan.proxy.logs import Log
from sampan.proxy.processes import Child, Processes

TICK_SECONDS = 0.25
# Two heartbeats missed: an Envoy that starts now should not wait for this control plane.
AVAILABLE_SECONDS = 2.0
# Python and gRPC load in 0.3 s.
SERVES_SECONDS = 2.0


class ControlPlane:
    """Starts the control plane and starts it again: when it dies, and when it falls silent."""

    def __init__(
        self,
        processes: Processes,
        events: Events,
        log: Log,
        command: Sequence[str],
        environment: Mapping[str, str],
        silence_seconds: float = 10.0,
    ) -> None:
        self.ever_ready = False
        self.child: Child | None = None
        self._processes = processes
        self._events = events
        self._log = log
        self._command = list(command)
        self._environment = dict(environment)
        self._silence_seconds = silence_seconds
        self._liveness = restarts.Liveness()
        self._stopping = False

    @property
    def available(self) -> bool:
        return self._liveness.available(time.monotonic(), AVAILABLE_SECONDS)

    def says_ready(self) -> None:
        self.ever_ready = True
        self._liveness = self._liveness.ready(time.monotonic())
        self._events.emit("control", state="ready")

    def beats(self) -> None:
        self._liveness = self._liveness.beat(time.monotonic())

    def hangs_up(self) -> None:
        self._liveness = self._liveness.disconnected()

    async def keep(self) -> int:
        """Until it is stopped, or says that there is nothing to do: then its status, which is to be ours.
        Raises OSError if the command cannot be started the first time."""
        history = restarts.History()
        while True:
            self._liveness = restarts.Liveness()
            try:
                child = self.child = await self._processes.spawn("control", self._command, self._environment)
            except OSError as error:
                if not self.ever_ready:
                    raise
                how = str(error)
            else:
                self._events.emit("control", state="started", pid=child.pid)
                await self._until_exit(child)
                self.child = None
                status, how = child.returncode or 0, child.end
                if self._stopping or restarts.ends_everything(status, self.ever_ready):
                    return status
            history, delay = history.after_death(restarts.CONTROL, self._liveness.well_for(time.monotonic()))
            self._liveness = restarts.Liveness()
            self._events.emit("control", state="exited", how=how, delay=delay)
            when = f"in {delay} s" if delay else "at once"
            self._log.line("supervisor", f"the control plane ended ({how}), starts again {when}")
            await asyncio.sleep(delay)

    async def stop(self, patience: float = 5.0) -> None:
        self._stopping = True
        if self.child is not None:
            child = self.child
            await child.stop(patience)
            child.kill_group()

    async def _until_exit(self, child: Child) -> None:
        while not child.exited.is_set():
            now = time.monotonic()
            self._liveness = self._liveness.tick(now, TICK_SECONDS)
            if self._liveness.hung(now, self._silence_seconds) and not self._stopping:
                self._log.line(
                    "supervisor", f"the control plane said nothing for {self._silence_seconds} s: killing it"
                )
                child.signal(signal.SIGKILL)
                await child.exited.wait()
                return
            try:
                async with asyncio.timeout(TICK_SECONDS):
                    await child.exited.wait()
            except TimeoutError:
                continue


def _leads_to(socket: Path) -> int:
    """The process whose xDS socket stands there (`sampan.xds.server` links `xds.sock` to `xds.sock.<pid>`), or 0."""
    try:
        return int(os.readlink(socket).rpartition(".")[2])
    except (OSError, ValueError):
        return 0


class Replay:
    """Serves the last known configuration from disk on the xDS socket. Runs only while it is needed."""

    def __init__(
        self, processes: Processes, events: Events, log: Log, command: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        self._processes = processes
        self._events = events
        self._log = log
        self._command = list(command)
        self._environment = dict(environment)
        self._needed = asyncio.Event()
        self._child: Child | None = None
        self._served = False

    @property
    def needed(self) -> bool:
        return self._needed.is_set()

    def start(self) -> None:
        if self._command and not self._needed.is_set():
            self._log.line("supervisor", "the control plane is away: starting the replay of the last configuration")
            self._served = True
            self._needed.set()

    async def serves(self, socket: Path, seconds: float = SERVES_SECONDS) -> None:
        """Waits until the xDS socket leads to it: an Envoy that starts before would reach a control plane that hangs,
        whose socket still takes connections. At most `seconds`."""
        deadline = time.monotonic() + seconds
        while self.needed and time.monotonic() < deadline:
            if self._child is not None and _leads_to(socket) == self._child.pid:
                return
            await asyncio.sleep(0.01)

    async def stop(self) -> bool:
        """Stops it, and tells whether it had (perhaps) taken the xDS socket since the last call."""
        self._needed.clear()
        if self._child is not None:
            await self._child.stop(1.0)
        served, self._served = self._served, False
        return served

    async def keep(self) -> None:
        history = restarts.History()
        while True:
            await self._needed.wait()
            try:
                child = self._child = await self._processes.spawn("replay", self._command, self._environment)
            except OSError as error:
                self._log.line("supervisor", f"the replay cannot be started: {error}")
                self._needed.clear()
                continue
            self._events.emit("replay", state="started", pid=child.pid)
            await child.exited.wait()
            self._child = None
            self._events.emit("replay", state="exited", how=child.end)
            history, delay = history.after_death(restarts.REPLAY, time.monotonic() - child.started)
            if self._needed.is_set():
                self._log.line("supervisor", f"the replay ended ({child.end}), starts again in {delay} s")
                await asyncio.sleep(delay)
