"""The loop: what sources say goes in, tables go out, by the long road or the short one.

Nothing is queued but the sources' records, and those are taken all at once: while a step computes, what comes waits
for the next. What is not urgent (counters, times, the log, the disk) follows a moment later in `Afterwards`.
"""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from sampan.daemon import garbage
from sampan.daemon.afterwards import Afterwards
from sampan.daemon.discovery import used
from sampan.daemon.faults import caught
from sampan.daemon.fleet import Doors, Fleet
from sampan.daemon.world import Step, World
from sampan.model.plan import Plan, Upstream, View
from sampan.proxy.client import SupervisorError
from sampan.sources.source import Records, Source

if TYPE_CHECKING:
    from sampan.daemon.publisher import Publisher
    from sampan.daemon.refusals import Refusal

# How often a shut door, a refused port or a full disk is tried again, and how often certificates are looked at for
# their expiry.
RETRY_SECONDS = 2.0
EXPIRY_SECONDS = 600.0


class Pipeline:
    """`now` gives RFC 3339; `known_refusals` are those of the last run, by proxy."""

    def __init__(
        self,
        world: World,
        fleet: Fleet,
        doors: Doors,
        afterwards: Afterwards,
        now: Callable[[], str],
        known_refusals: dict[str, tuple[Refusal, ...]] | None = None,
    ) -> None:
        self.world, self.fleet, self.doors = world, fleet, doors
        self.publisher: Publisher | None = None
        self._afterwards = afterwards
        self._now = now
        self._known_refusals = known_refusals or {}
        self.uses: Callable[[Collection[str]], None] = lambda _: None
        """Told the names of the registered services that requests go to, when they change."""
        self._used: frozenset[str] = frozenset()
        self._upstreams: list[Mapping[str, Upstream]] = []
        self._records: list[Records] = []
        self._whole: set[str] = set()
        self._wake = asyncio.Event()
        self._search = asyncio.Event()
        self._again = False

    # ---- input

    def take(self, records: Records) -> None:
        """A source's `emit`."""
        self._records.append(records)
        if records.whole:
            self._whole.add(records.source)
        self._wake.set()

    def refused(self) -> None:
        """The publisher learnt of a refusal."""
        self._again = True
        self._search.set()
        self._wake.set()

    # ---- the two halves of starting

    async def begin(self, sources: Sequence[Source]) -> None:
        """Waits until every source has said all it has, resolves, and has the proxies started: before anything that is
        slow to import. Only what is known to be wanted as a whole may end proxies that run already."""
        while not self._whole.issuperset(source.name for source in sources):
            await self._wake.wait()
            self._wake.clear()
        self._note(self.world.advance(self._taken(), self._now()))
        await self.fleet.look()
        if not self.world.began:
            return  # a mistake of our own: what is wanted is not known, so what runs goes on
        for view, plan in self.plans.items():
            if view.proxy in self.fleet.running:
                self.doors.adopt(view, plan)
        self.doors.look(self.plans, self.fleet.pids)
        await self.fleet.want(self.plans)

    async def settle(self, sources: Sequence[Source], seconds: float) -> None:
        """Waits a while for sources that the first publication would miss."""
        try:
            async with asyncio.timeout(seconds):
                while not self._whole.issuperset(source.name for source in sources):
                    await self._wake.wait()
                    self._wake.clear()
        except TimeoutError:
            pass
        await self._guarded_round()

    async def follow(self, publisher: Publisher) -> None:
        """Publishes, and goes on with every change until cancelled."""
        self.publisher = publisher
        self._publish(frozenset())
        garbage.begin()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._searching(publisher))
            group.create_task(self._watching())
            while True:
                await self._wake.wait()
                self._wake.clear()
                await self._guarded_round()

    def count(self) -> None:
        """Brings what is counted and timed up to date."""
        self._afterwards.count()

    @property
    def plans(self) -> dict[View, Plan]:
        return dict(self.world.resolution.plans)

    # ---- rounds

    async def _guarded_round(self) -> None:
        """Our own mistakes end no control plane: what comes is kept for the next start, which would end as well."""
        try:
            await self._round()
        except (SupervisorError, OSError):
            raise  # the supervisor is gone, and so are we
        except Exception as error:
            self.world.fault = caught("bringing a change to the proxies", error)

    async def _round(self) -> None:
        records, again = self._taken(), self._again
        self._again = False
        step = self.world.advance(records, self._now()) if records else Step.nothing()
        self._note(step)
        if not step.resolved and not again:
            if self.publisher is not None and step.groups:
                self.publisher.publish_endpoints(self.world.snapshot, step.groups)
            return
        self.doors.look(self.plans, self.fleet.pids)
        await self.fleet.want(self.plans)
        self._publish(step.groups)

    def _publish(self, groups: frozenset[str]) -> None:
        publisher = self.publisher
        if publisher is None:
            return
        plans = self.world.resolution.plans
        for view, plan in plans.items():
            publisher.publication(view, self._known_refusals.pop(view.proxy, ()))
            publisher.publish(view, self.doors.open(view, plan), self.world.snapshot, groups)
        for view in publisher.publications.keys() - plans.keys():
            publisher.retire(view)

    def _note(self, step: Step) -> None:
        if self.publisher is not None and step.change:
            self.publisher.changed_objects(step.change.objects.keys())
        self._afterwards.note(step.change)
        if step.resolved:
            self._tell_used()

    def _tell_used(self) -> None:
        upstreams = [plan.upstreams for plan in self.plans.values()]
        if len(upstreams) == len(self._upstreams) and all(map(operator.is_, upstreams, self._upstreams)):
            return
        self._upstreams = upstreams
        found = used((item for group in upstreams for item in group.values()), self.world.snapshot)
        if found != self._used:
            self._used = found
            self.uses(found)

    def _taken(self) -> list[Records]:
        records, self._records = self._records, []
        return records

    # ---- beside the rounds

    async def _searching(self, publisher: Publisher) -> None:
        """The search for a refused route takes trials: meanwhile everything else goes on."""
        while True:
            await self._search.wait()
            self._search.clear()
            if await publisher.search():
                self._again = True
                self._wake.set()

    async def _watching(self) -> None:
        """Doors that were shut, ports that Envoy could not bind, certificates that expire."""
        waited = 0.0
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            waited += RETRY_SECONDS
            again = bool(self.fleet.problem)
            if self.doors.shut:
                again |= self.doors.look(self.plans, self.fleet.pids)
            if self.publisher is not None:
                again |= self.publisher.retry_passing()
            if waited >= EXPIRY_SECONDS:
                waited = 0.0
                self.world.resolve(self._now())
                again = True
            if again:
                self._again = True
                self._wake.set()
