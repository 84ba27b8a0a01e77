"""The registry beside the files: which one it is, and its services as a source.

What speaks HTTP is imported when the source is started, a tenth of a second that no proxy waits for.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sampan.model import codes
from sampan.model.diagnostic import Diagnostic
from sampan.model.meta import Origin
from sampan.model.names import CORE, SERVICE_LABEL
from sampan.model.plan import Upstream
from sampan.model.snapshot import Snapshot
from sampan.registry import place
from sampan.sources.source import Emit, Records, SourceHealth

if TYPE_CHECKING:
    from sampan.consul.target import Target

NAME = "consul"
POLL_SECONDS = 0.02
SAID_SECONDS = 5.0
AGAIN_SECONDS = 5.0

Save = Callable[[str, Mapping[str, bytes | None]], None]


@dataclass(frozen=True, slots=True)
class Choice:
    """`registry` is HOST:PORT of the embedded one, `consul` the address of another; one of the two, or none."""

    runtime: Path
    registry: str = ""
    consul: str = ""
    datacenters: tuple[str, ...] = ()
    token_file: str = ""

    def __bool__(self) -> bool:
        return bool(self.registry or self.consul)

    async def target(self) -> Target:
        """Raises TargetError. Waits a while for an embedded registry that is to take any free port."""
        from sampan.consul.target import Target, TargetError, target

        if self.consul:
            return target(os.environ, self.consul, token_file=self.token_file)
        address = place.parse(self.registry)
        if address.port == 0:
            found = await self._said()
            if found is None:
                raise TargetError(f"the registry has not said where it is: there is no {self.runtime / place.FILE}")
            address = place.parse(found.http)
        return Target(f"http://{place.reached(address)}", os.environ.get(place.TOKEN_VARIABLE, ""))

    async def _said(self) -> place.Announcement | None:
        with suppress(TimeoutError):
            async with asyncio.timeout(SAID_SECONDS):
                while (found := place.read(self.runtime)) is None:
                    await asyncio.sleep(POLL_SECONDS)
                return found
        return None

    def nowhere(self) -> Target:
        """Where nobody answers, or not without a token: for a start that goes by what is kept alone."""
        from sampan.consul.target import Target

        return Target(self.consul or f"unix://{self.runtime / place.FILE}")

    @contextmanager
    def announced(self) -> Iterator[None]:
        """The embedded registry says itself where it is; a Consul does not know of our state folder, so we do."""
        if not self.consul:
            yield
            return
        with place.announced(self.runtime, place.Announcement(self.consul, "", "", os.getpid())):
            yield


class Services:
    """A source: what is registered. `kept` are the last answers of the last run; `save` keeps those of this one, by
    source. `expected`: there were services the last time."""

    name = NAME

    def __init__(self, choice: Choice, kept: Mapping[str, bytes], save: Save, now: Callable[[], str]) -> None:
        self._choice, self._kept, self._save, self._now = choice, dict(kept), save, now
        self._used: Collection[str] = frozenset()
        self._source: Any = None
        self.expected = bool(kept)

    def use(self, names: Collection[str]) -> None:
        """The names that documents refer to."""
        self._used = names
        if self._source is not None:
            self._source.use(names)

    async def run(self, emit: Emit) -> None:
        watch = await asyncio.to_thread(import_module, "sampan.sources.consul.watch")
        from sampan.consul.target import TargetError

        options = watch.Options(datacenters=self._choice.datacenters)
        while True:
            again: float | None = None
            try:
                target = await self._choice.target()
            except TargetError as error:
                # What is kept must go out all the same, or a control plane that starts again would end its routes.
                target, again = self._choice.nowhere(), AGAIN_SECONDS
                emit(_unusable(error))
            source = self._source = watch.Consul(target, self._now, options, lambda: self._kept, self._note, NAME)
            source.use(self._used)
            try:
                async with asyncio.timeout(again) as limit:
                    await source.run(emit)
            except TargetError as error:  # certificates that cannot be read
                emit(_unusable(error))
                await asyncio.sleep(AGAIN_SECONDS)
            except TimeoutError:
                if not limit.expired():
                    raise

    def _note(self, changes: Mapping[str, bytes | None]) -> None:
        for key, data in changes.items():
            if data is None:
                self._kept.pop(key, None)
            else:
                self._kept[key] = data
        self._save(self.name, changes)


def _unusable(error: Exception) -> Records:
    said = Diagnostic(codes.REGISTRY_AWAY, str(error), Origin(NAME), hint="what is wrong is read again in a moment")
    return Records(NAME, health=SourceHealth(False, (said,)))


def used(upstreams: Iterable[Upstream], snapshot: Snapshot) -> frozenset[str]:
    """The names of registered services that requests go to: of the Services themselves, and those that they select."""
    found = set()
    for upstream in upstreams:
        if (upstream.owner.group, upstream.owner.kind) != (CORE, "Service"):
            continue
        found.add(upstream.owner.name)
        item = snapshot.get(upstream.owner)
        selected = item.spec.selector.get(SERVICE_LABEL) if item is not None else None
        if selected:
            found.add(selected)
    return frozenset(found)
