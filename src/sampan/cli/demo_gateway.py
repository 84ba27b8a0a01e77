"""The demo's gateway: what `sampan up` would run, as a child with a state folder of its own.

Nothing here configures it: the shop's documents do.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from sampan.cli.api import Api
from sampan.cli.commands import proxies
from sampan.cli.problem import UserError
from sampan.proxy import admin, paths, processes
from sampan.registry import place

PROXY = "default/shop"
READY_SECONDS = 20.0
POLL_SECONDS = 0.05
DRAIN_SECONDS = 2.0

LABELS = {
    "httproute/default/front-page/0": "front page",
    "httproute/default/front-page/1": "live",
    "httproute/default/catalogue/0": "catalogue",
    "httproute/default/reviews/1": "reviews",
    "httproute/default/reviews/0": "reviews beta",
    "grpcroute/default/stock/0": "stock",
    "tcproute/default/parrot": "parrot",
}
"""How the shop's routes are called in the table, by their names in Envoy's statistics."""


class Gateway:
    """`sampan up` as a child. Its log is `folder/demo.log`; leaving drains and reaps it and all that it started."""

    def __init__(self, folder: Path, command: Sequence[str]) -> None:
        self.folder = folder
        self.log = folder / "demo.log"
        self._command = command
        self._process: asyncio.subprocess.Process

    async def __aenter__(self) -> Self:
        with self.log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the terminal is for us; we end the children in order
                preexec_fn=processes.die_with_parent(),
            )
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), DRAIN_SECONDS + 8)
        except TimeoutError:
            self._process.kill()  # takes Envoy and the control plane with it
            await self._process.wait()

    async def registry(self) -> place.Announcement:
        """Where it is, once it serves. Raises UserError as `until_ready` does."""
        await self._until("the registry", self._registry_serves)
        found = place.read(self.folder)
        assert found is not None, "it was there, and goes with the gateway"
        return found

    async def until_ready(self, addresses: Iterable[str]) -> None:
        """Until Envoy has everything, and all of these instances (host:port). Raises UserError if it ends, or does not
        get there in time."""
        await self._until("the gateway", self._in_sync)
        wanted = frozenset(addresses)

        async def served() -> bool:
            return wanted <= endpoints(await self.statistics("/clusters?format=json"))

        await self._until("the gateway", served)

    async def _until(self, what: str, ready: Callable[[], Awaitable[bool]]) -> None:
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not await ready():
                    self.check_running()
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError as error:
            raise UserError(
                f"{what} was not ready within {READY_SECONDS:g} s{self._last_words()}", "is the machine very busy?"
            ) from error

    async def _registry_serves(self) -> bool:
        return place.read(self.folder) is not None

    async def _in_sync(self) -> bool:
        return await asyncio.to_thread(self._ready)

    def _ready(self) -> bool:
        api = Api(self.folder, timeout=2.0)
        try:
            found = api.proxies() if api.health().get("ready") else []
        except UserError:  # not listening yet
            return False
        return bool(found) and all(proxies.sync(proxy) == "in sync" for proxy in found)

    def check_running(self) -> None:
        if self._process.returncode is not None:
            raise UserError(f"the gateway ended{self._last_words()}", "that should not happen: please report it")

    def _last_words(self) -> str:
        lines = self.log.read_text("utf-8", "replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""

    async def statistics(self, path: str) -> bytes:
        """Envoy's answer to a path of its admin interface; b"" while it has none (it restarts)."""
        try:
            return await admin.ask(paths.admin_link(self.folder, PROXY), path)
        except admin.AdminError:
            return b""


def endpoints(clusters: bytes) -> frozenset[str]:
    """host:port of all that Envoy would send requests to, out of `/clusters?format=json` of its admin interface."""
    found = json.loads(clusters or b"{}").get("cluster_statuses", ())
    places = (host["address"].get("socket_address", {}) for one in found for host in one.get("host_statuses", ()))
    return frozenset(f"{place.get('address')}:{place.get('port_value')}" for place in places)
