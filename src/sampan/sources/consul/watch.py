"""The source: services of a registry with Consul's interface, from the first answer on and through its outages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping

from sampan.consul.client import RESERVED, Client
from sampan.consul.outage import Sleep
from sampan.consul.target import Target
from sampan.sources.consul.books import Books
from sampan.sources.consul.budget import LEAST, READS
from sampan.sources.consul.codec import decode
from sampan.sources.consul.convert import Key, Registered, Setting
from sampan.sources.consul.outlet import Outlet, Save
from sampan.sources.consul.reading import DEFAULTS, Options, Reading
from sampan.sources.consul.states import STATES
from sampan.sources.source import Emit

Load = Callable[[], Mapping[str, bytes]]
"""Gives back what was saved."""


def nothing_kept() -> Mapping[str, bytes]:
    return {}


def keep_nothing(changes: Mapping[str, bytes | None]) -> None:
    """For those who need no start without the registry."""


class Consul:
    """`load` and `save` keep the last answers over a restart: with them a start never waits for the registry. `now`
    gives RFC 3339."""

    def __init__(
        self,
        target: Target,
        now: Callable[[], str],
        options: Options = DEFAULTS,
        load: Load = nothing_kept,
        save: Save = keep_nothing,
        name: str = "consul",
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.name = name
        self._target, self._now, self._options = target, now, options
        self._load, self._save, self._sleep = load, save, sleep
        self._used: frozenset[str] = frozenset()
        self._reading: Reading | None = None

    def use(self, names: Collection[str]) -> None:
        """The names of Services (`web`, `web@consul`) that documents refer to: where there are more services than
        connections, these are followed more closely."""
        self._used = frozenset(names)
        if self._reading is not None:
            self._reading.use(self._used)

    async def run(self, emit: Emit) -> None:
        setting = Setting(self.name, self._target.datacenter, self._target.namespace or "default")
        kept = self._kept(setting)
        outlet = Outlet(self.name, emit, self._save)
        if kept:
            outlet.begin(kept)
        try:
            watches = (1 + len(self._options.datacenters)) * (1 + len(STATES))
            # Few connections for single services until the server has said how many it takes.
            async with (
                Client(self._target, RESERVED + watches, self._sleep) as client,
                Client(self._target, LEAST, self._sleep, READS) as crowd,
            ):
                books = Books(setting, kept)
                self._reading = Reading(client, crowd, self._options, books, outlet, self._now, self._used, self._sleep)
                await self._reading.run()
        finally:
            self._reading = None
            outlet.close()

    def _kept(self, setting: Setting) -> list[Registered]:
        """Of datacentres that are still asked for."""
        found = []
        for text, data in self._load().items():
            datacenter, _, name = text.partition("/")
            if datacenter and datacenter not in self._options.datacenters:
                continue
            item = decode(Key(datacenter, name), data, setting)
            if item is not None:
                found.append(item)
        return found

    def followed(self) -> frozenset[str]:
        """The keys of services that have a blocking query of their own."""
        return self._reading.followed() if self._reading else frozenset()
