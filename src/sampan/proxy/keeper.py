"""Keeps one proxy running as it is wanted: starts it, starts it again when it dies, replaces it when its bootstrap
changes, drains it when it is no longer wanted."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable

from sampan.proxy import restarts, steering
from sampan.proxy.run import House, Run, Wanted

# Envoy says LIVE when its first configuration is there, or after initial_fetch_timeout (15 s) without one.
READY_SECONDS = 60.0
LISTENERS_SECONDS = 5.0


class Keeper:
    """Of the proxy `name`. `want` may be called at any time; `keep` runs until the proxy is not wanted any more."""

    def __init__(self, house: House, tasks: asyncio.TaskGroup, name: str, wanted: Wanted) -> None:
        self.name = name
        self.wanted: Wanted | None = wanted
        self.current: Run | None = None
        self._house = house
        self._tasks = tasks
        self._changed = asyncio.Event()
        self._history = restarts.History()
        self._free = asyncio.Event()  # no predecessor is handing over its listeners
        self._free.set()

    def want(self, wanted: Wanted | None) -> None:
        if wanted is None or self.wanted is None or wanted.version != self.wanted.version:
            self._history = restarts.History()
            self._changed.set()
        self.wanted = wanted

    async def keep(self) -> None:
        started_before = False
        while not self._house.stopping.is_set():
            self._changed.clear()
            run, wanted = self.current, self.wanted
            if wanted is None:
                break
            if run is None:
                if started_before:
                    await self._house.before_restart()
                started_before = True
                self.current = await self._launch(wanted, serve=True)
            elif run.child.exited.is_set():
                self.current = None
                await self._after_death(run)
            elif run.wanted.version != wanted.version:
                await self._replace(run, wanted)
            else:
                await self._first(run.child.exited.wait(), self._changed.wait(), self._house.stopping.wait())
        if self.current is not None and not self._house.stopping.is_set():
            self._tasks.create_task(self.current.drain_and_stop())

    async def _launch(self, wanted: Wanted, *, serve: bool) -> Run | None:
        try:
            run = await Run.launch(self._house, self.name, wanted)
        except OSError as error:
            self._say(f"cannot be started: {error}")
            await self._pause(0.0)
            return None
        if serve:
            run.serve_link()
        self._tasks.create_task(run.watch())
        return run

    async def _after_death(self, run: Run) -> None:
        if run.state == "draining":
            return
        if not run.ready.is_set():
            self._say(f"ended before it was ready ({run.child.end})")
        await self._pause(time.monotonic() - run.child.started, run.child.end)

    async def _pause(self, well_for: float, how: str = "not started") -> None:
        """Waits as long as its history asks, or until something else is wanted."""
        self._history, delay = self._history.after_death(restarts.ENVOY, well_for)
        self._house.events.emit("restarting", proxy=self.name, how=how, delay=delay)
        self._say(f"ended ({how}), starts again " + (f"in {delay} s" if delay else "at once"))
        if delay:
            await self._first(self._changed.wait(), self._house.stopping.wait(), seconds=delay)

    async def _replace(self, old: Run, wanted: Wanted) -> None:
        """With overlap: the new Envoy starts beside the old one, which goes when the new one serves. If the new one
        does not come up, the old one stays."""
        await self._first(self._free.wait(), self._house.stopping.wait())
        if self._house.stopping.is_set():
            return
        if sys.platform != "linux":
            # Without Linux's SO_REUSEPORT the new one cannot bind the ports before the old one has left them.
            await old.drain_and_stop()
            self.current = None
            return
        await self._house.before_restart()
        new = await self._launch(wanted, serve=False)
        if new is None:
            return
        if await self._takes_over(old, new):
            new.serve_link()
            self.current = new
            self._history = restarts.History()
            self._free.clear()
            self._tasks.create_task(old.give_way(new, self._free))
        elif old.child.exited.is_set() and not new.child.exited.is_set():
            new.serve_link()
            self.current = new  # not ready yet, but all there is
        elif not self._house.stopping.is_set():
            how = new.child.end if new.child.exited.is_set() else "not ready in time"
            await new.drain_and_stop()
            if self.wanted is wanted:
                self._say(f"the new bootstrap {wanted.version} does not come up ({how}): the old one goes on serving")
                await self._pause(0.0, how)

    async def _takes_over(self, old: Run, new: Run) -> bool:
        """Whether the new one serves what the old one did. Waits for that."""
        deadline = time.monotonic() + READY_SECONDS
        await self._first(
            *(event.wait() for event in (new.ready, new.child.exited, old.child.exited, self._changed)),
            self._house.stopping.wait(),
            seconds=READY_SECONDS,
        )
        if not new.ready.is_set():
            return False
        listeners = time.monotonic() + LISTENERS_SECONDS
        while not new.child.exited.is_set() and not self._house.stopping.is_set():
            if steering.covers(new.child.pid, old.child.pid):
                return True
            # A new bootstrap may mean fewer listeners, but none at all means that it got no configuration.
            now = time.monotonic()
            if now > deadline or (now > listeners and steering.listens(new.child.pid)):
                return now <= deadline
            await self._first(new.child.exited.wait(), self._house.stopping.wait(), seconds=0.02)
        return False

    async def _first(self, *waits: Awaitable[object], seconds: float | None = None) -> None:
        """Until the first of them happens, or the seconds have passed."""
        tasks = [asyncio.ensure_future(wait) for wait in waits]
        try:
            await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    def _say(self, text: str) -> None:
        self._house.log.line("supervisor", f"envoy {self.name} {text}")
