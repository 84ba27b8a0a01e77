"""What the demo shows: on a terminal a live table, on a pipe a line now and then."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from sampan.cli import output
from sampan.cli.demo_gateway import DRAIN_SECONDS, LABELS, Gateway
from sampan.cli.discovery import Discovery
from sampan.cli.launch import Launch
from sampan.cli.options import Format
from sampan.cli.problem import FAILED, UserError
from sampan.demo import check as checks
from sampan.demo import killed, live, shown
from sampan.demo.shop import DemoError, Event, Ports, Shop, prepare
from sampan.demo.traffic import Traffic
from sampan.registry.place import Announcement

CHECK_SECONDS = 28.0  # so that `--check` is done within 30
REFRESH_SECONDS = 1.0
LINE_SECONDS = 5.0  # between lines where there is no terminal; Envoy's own quantiles are of 5 s


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line asked for."""

    folder: Path
    port: int
    tcp_port: int
    rate: float
    form: Format
    envoy: Path
    discovery: Discovery


@dataclass(frozen=True, slots=True)
class Stage:
    """What runs, and where its documents are."""

    shop: Shop
    gateway: Gateway
    documents: Path
    registry: Announcement


class Demo:
    """One run of the demo: `show` until it is cancelled, or `check` once."""

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._ports = Ports(wishes.port, wishes.tcp_port)
        self._console = Console(no_color=not output.colourful(sys.stdout), highlight=False, soft_wrap=True)
        self._events: deque[str] = deque(maxlen=3)

    async def check(self) -> int:
        """Every promise of the shop's documents, once. 0 if all were kept."""
        try:
            async with asyncio.timeout(CHECK_SECONDS), self._stage() as stage:
                with output.busy("asking for everything"):
                    results = await checks.check(self._ports)
                with output.busy("killing an instance"):
                    results += (await killed.check(stage.shop, stage.registry.http),)
        except TimeoutError as error:
            raise UserError(f"the demo was not done within {CHECK_SECONDS:g} s", "is the machine very busy?") from error
        self._report(results)
        return 0 if all(result.ok for result in results) else FAILED

    def _report(self, results: Sequence[checks.Result]) -> None:
        good = sum(result.ok for result in results)
        if self._wishes.form is not Format.TEXT:
            items = [{"name": r.name, "asked": r.asked, "seen": r.seen, "ok": r.ok} for r in results]
            output.emit({"ok": good == len(results), "results": items}, self._wishes.form)
        elif self._console.is_terminal:
            self._console.print(shown.results_table(results))
        else:
            output.say(shown.results_lines(results))
        output.tell(f"{good} of {len(results)} as promised")

    async def show(self) -> int:
        """Until cancelled. Raises UserError if the gateway ends by itself."""
        async with self._stage() as stage:
            self._welcome(stage)
            async with asyncio.TaskGroup() as group:
                busy = group.create_task(Traffic(self._ports, self._wishes.rate).run())
                problem = await self._display(stage.gateway)
                busy.cancel()
            raise problem

    async def _display(self, gateway: Gateway) -> UserError:
        """Until the gateway ends: the reason, returned and not raised, for a TaskGroup would wrap it."""
        try:
            await (self._live if self._console.is_terminal else self._lines)(gateway)
        except UserError as problem:
            return problem
        raise AssertionError("the display ends by exceptions only")

    @asynccontextmanager
    async def _stage(self) -> AsyncIterator[Stage]:
        """The gateway ready, and the shop open. Raises UserError."""
        wishes = self._wishes
        folder = wishes.folder / "demo"
        try:
            documents = prepare(folder, self._ports)
            launch = Launch(wishes.folder, [documents], wishes.envoy, wishes.discovery, DRAIN_SECONDS)
            async with Gateway(wishes.folder, launch.command_line()) as gateway:
                with output.busy("the registry starts"):
                    registry = await gateway.registry()
                # Inside, so that the services still find the registry when they leave.
                async with Shop(self._ports, registry.http, self._heard) as shop:
                    with output.busy("the gateway starts"):
                        await gateway.until_ready(instance.address for instance in shop.instances)
                    yield Stage(shop, gateway, documents, registry)
        except DemoError as error:
            reason, separator, hint = str(error).partition("; ")
            raise UserError(reason, hint if separator else "") from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _heard(self, event: Event) -> None:
        self._events.append(event.words)
        if not self._console.is_terminal:
            output.tell(event.words)

    def _welcome(self, stage: Stage) -> None:
        web, registry = self._wishes.port, stage.registry
        if self._console.is_terminal:
            self._console.print(shown.instances_table(stage.shop.instances))
        else:
            output.say(shown.instances_lines(stage.shop.instances))
        say = self._console.print
        say(f"\nThe shop: http://127.0.0.1:{web}/   (gRPC: stock.localhost:{web}, TCP: {self._ports.parrot})")
        say(f"Its registry: curl http://{registry.http}/v1/catalog/services")
        if registry.dns:
            host, _, port = registry.dns.rpartition(":")
            say(f"The same by DNS: dig @{host} -p {port} reviews.service.consul SRV")
        say(f"Its documents, to edit: {stage.documents}")
        say(f"In another terminal: export SAMPAN_STATE={self._wishes.folder}; sampan get all\n")
        sys.stdout.flush()

    async def _live(self, gateway: Gateway) -> None:
        with Live(console=self._console, auto_refresh=False, transient=False) as display:
            async for rows in _measured(gateway, REFRESH_SECONDS):
                news = [Text(words, style="yellow") for words in self._events]
                display.update(
                    Group(shown.rows_table(rows), *news, Text("Ctrl-C ends it all", style="dim")), refresh=True
                )

    async def _lines(self, gateway: Gateway) -> None:
        async for rows in _measured(gateway, LINE_SECONDS):
            output.say(shown.rows_line(rows))


async def _measured(gateway: Gateway, interval: float) -> AsyncIterator[Any]:
    """Rows of `live`, each `interval` seconds. Raises UserError when the gateway ends."""
    before: live.Sample | None = None
    while True:
        gateway.check_running()
        body = await gateway.statistics(live.STATS_PATH)
        if body:
            after = live.sample(body, time.monotonic())
            if before is not None:
                yield live.rows(before, after, LABELS)
            before = after
        await asyncio.sleep(interval)
