"""One run of an Envoy: from its start until it has drained and gone. A proxy may have two at a time (`keeper`)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Literal

from sampan.proxy import admin, paths, steering
from sampan.proxy.drain import Drain
from sampan.proxy.events import Events
from sampan.proxy.logs import Log
from sampan.proxy.processes import Child, Processes

State = Literal["starting", "ready", "draining", "exited"]

# How long nothing may happen on open connections before a drain is over: a client that has a keep-alive connection open
# and pauses for longer finds it closed, which HTTP/1.1 clients have to expect (RFC 9112, 9.3).
QUIET_AT_STOP = 0.3
QUIET_WHEN_REPLACED = 2.0
# A handshake whose SYN-ACK was lost is repeated after 1 s (tcp(7)).
SETTLE_SECONDS = 1.1
KILL_AFTER = 2.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the control plane wants to run. `version` alone decides whether a running Envoy is still the right one."""

    bootstrap: Path
    version: str
    arguments: tuple[str, ...] = ()


async def _nothing_to_do() -> None:
    return None


@dataclass(slots=True)
class House:
    """What all proxies of a supervisor share. `before_restart` is awaited before an Envoy starts of our own accord."""

    runtime: Path
    envoy: Path
    processes: Processes
    events: Events
    log: Log
    drain_seconds: float = 10.0
    log_level: str = "warning"
    before_restart: Callable[[], Awaitable[None]] = _nothing_to_do
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    runs: dict[int, Run] = field(default_factory=dict)
    numbers: count[int] = field(default_factory=lambda: count(1))


class Run:
    """`since` is in seconds since 1970. `ready` is set once, when Envoy first said LIVE."""

    def __init__(self, house: House, name: str, wanted: Wanted, child: Child, number: int) -> None:
        self.name = name
        self.wanted = wanted
        self.child = child
        self.number = number
        self.admin = paths.admin_socket(house.runtime, number)
        self.since = time.time()
        self.state: State = "starting"
        self.ready = asyncio.Event()
        self._house = house

    @classmethod
    async def launch(cls, house: House, name: str, wanted: Wanted) -> Run:
        """Starts an Envoy. Raises OSError if there is no such binary any more, or no room for a process."""
        number = next(house.numbers)
        socket = paths.admin_socket(house.runtime, number)
        socket.unlink(missing_ok=True)
        child = await house.processes.spawn(f"envoy {name}", _command(house, wanted, socket))
        run = cls(house, name, wanted, child, number)
        house.runs[number] = run
        house.events.emit("started", proxy=name, pid=child.pid, version=wanted.version)
        return run

    async def watch(self) -> None:
        """Follows the run to its end: to be run beside whoever launched it."""
        await self._until_live()
        await self.child.exited.wait()
        planned = self.state == "draining"
        self.state = "exited"
        self._house.runs.pop(self.number, None)
        link = paths.admin_link(self._house.runtime, self.name)
        with contextlib.suppress(OSError):
            self.admin.unlink(missing_ok=True)
            if os.readlink(link) == str(self.admin):
                link.unlink()
        self._house.events.emit(
            "exited",
            proxy=self.name,
            pid=self.child.pid,
            version=self.wanted.version,
            how=self.child.end,
            planned=planned,
        )

    async def _until_live(self) -> None:
        pause = 0.02
        while not self.child.exited.is_set():
            try:
                if (await admin.ask(self.admin, "/ready", timeout=1.0)).strip() == b"LIVE":
                    break
            except admin.AdminError:
                pass
            try:
                async with asyncio.timeout(pause):
                    await self.child.exited.wait()
            except TimeoutError:
                pause = min(0.1, pause * 1.05)
        else:
            return
        if self.state == "starting":
            self.state = "ready"
        self.ready.set()
        self._house.events.emit("ready", proxy=self.name, pid=self.child.pid, version=self.wanted.version)

    def serve_link(self) -> None:
        """Makes this the run that DIR/proxies/NAME/admin.sock leads to."""
        link = paths.admin_link(self._house.runtime, self.name)
        link.parent.mkdir(parents=True, exist_ok=True)
        fresh = link.with_name(f".admin.{self.number}")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(self.admin)
        os.replace(fresh, link)

    async def drain_and_stop(self) -> None:
        """Without a successor: in-flight requests finish, within the drain limit. New connections are taken until it is
        calm, at most for half of the limit (a balancer in front needs a moment to look elsewhere)."""
        if not self._begin_draining():
            return
        now, limit = time.monotonic(), self._house.drain_seconds
        drain = Drain(self.admin, now + limit, self.child.exited)
        if limit > 0 and (self.ready.is_set() or await self._answers()):
            await drain.begin(fail_health_checks=True)
            await drain.until_calm(QUIET_AT_STOP, now + limit / 2)
            await drain.close_listeners()
            await drain.until_calm(QUIET_AT_STOP)
        await self.child.stop(KILL_AFTER)

    async def _answers(self) -> bool:
        """Whether it may serve already: it is looked at only now and then, and it can be faster than that."""
        try:
            await admin.ask(self.admin, "/ready", timeout=1.0)
        except admin.AdminError:
            return False
        return True

    async def give_way(self, successor: Run, listeners_closed: asyncio.Event) -> None:
        """With a successor that serves already: new connections go there, then the listeners close, then it drains.
        `listeners_closed` is set when the next replacement may begin."""
        try:
            if not self._begin_draining():
                return
            drain = Drain(self.admin, time.monotonic() + SETTLE_SECONDS + self._house.drain_seconds, self.child.exited)
            steered = steering.steer(self.child.pid, successor.child.pid)
            await drain.begin(fail_health_checks=False)
            await drain.settle(SETTLE_SECONDS)
            if steered:
                steering.steer(self.child.pid, successor.child.pid, closing=True)
            await drain.close_listeners()
            await drain.until(lambda: not steering.listens(self.child.pid), seconds=2.0)
            steering.release(successor.child.pid)
        finally:
            listeners_closed.set()
        await drain.until_calm(QUIET_WHEN_REPLACED)
        await self.child.stop(KILL_AFTER)

    def _begin_draining(self) -> bool:
        if self.state in ("draining", "exited"):
            return False
        self.state = "draining"
        self._house.events.emit("draining", proxy=self.name, pid=self.child.pid, version=self.wanted.version)
        return True

    def facts(self) -> dict[str, object]:
        return {
            "proxy": self.name,
            "pid": self.child.pid,
            "since": self.since,
            "version": self.wanted.version,
            "state": self.state,
            "admin": str(self.admin),
        }


def _command(house: House, wanted: Wanted, socket: Path) -> list[str | Path]:
    """`--config-yaml` is merged over the file: each run has an admin socket of its own, whatever the file says.
    Hot restart is off: it would need shared memory, and its parent to live. `immediate` drains every connection at its
    next answer, where `gradual` would draw lots."""
    address = {"admin": {"address": {"pipe": {"path": str(socket), "mode": 0o600}}}}
    return [
        house.envoy,
        *("--config-path", wanted.bootstrap),
        *("--config-yaml", json.dumps(address)),
        "--disable-hot-restart",
        *("--log-level", house.log_level),
        *("--drain-time-s", str(max(1, round(house.drain_seconds)))),
        *("--drain-strategy", "immediate"),
        *wanted.arguments,
    ]
