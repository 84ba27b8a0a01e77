"""When nothing is in flight any more in an Envoy that drains: `traffic` and `Calm` are pure, `Drain` asks the admin."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sampan.proxy import admin

# A configuration that hides these statistics (stats_matcher) makes a drain end early.
PATTERN = r"\.downstream_((rq|cx|pre_cx)_active|rq_total)$"
_HTTP = re.compile(r"^http\.(?!admin\.)(.+)\.downstream_(rq_active|cx_active|rq_total)$")
_LISTENER = re.compile(r"^listener\.(?!admin\.)(?!.+\.worker_\d+\.)(.+)\.downstream_(cx_active|pre_cx_active)$")
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Traffic:
    """Of one Envoy at one moment. `requests`: HTTP requests and upgraded streams in flight; `tcp`: connections that are
    not HTTP; `connections`: all of them, also idle ones; `total`: HTTP requests so far."""

    requests: int
    tcp: int
    connections: int
    total: int


def traffic(statistics: Mapping[str, int]) -> Traffic:
    """From Envoy's statistics by name. tcp_proxy has no gauge of its own for connections: they are what listeners have
    and HTTP connection managers have not."""
    requests = http = total = accepted = waiting = 0
    for name, value in statistics.items():
        if match := _HTTP.match(name):
            if match[2] == "rq_active":
                requests += value
            elif match[2] == "cx_active":
                http += value
            else:
                total += value
        elif match := _LISTENER.match(name):
            if match[2] == "cx_active":
                accepted += value
            else:  # in listener filters: it has not said anything yet, and may never
                waiting += value
    return Traffic(requests, max(0, accepted - http), max(http, accepted) + waiting, total)


@dataclass(frozen=True, slots=True)
class Calm:
    """Since when nothing is in flight, and no new request came. An idle keep-alive connection does not disturb it."""

    since: float | None = None
    total: int = 0
    empty: bool = False

    def after(self, seen: Traffic, now: float) -> Calm:
        if seen.requests or seen.tcp:
            return Calm(None, seen.total)
        same = self.since is not None and seen.total == self.total
        return Calm(self.since if same else now, seen.total, empty=seen.connections == 0)

    def reached(self, now: float, quiet: float) -> bool:
        """`quiet` seconds of it are enough; without any connection none are needed."""
        return self.since is not None and (self.empty or now - self.since >= quiet)


class Drain:
    """Of one Envoy, until `deadline` (of time.monotonic) at the latest. Ends, without an error, when Envoy does."""

    def __init__(self, socket: Path, deadline: float, gone: asyncio.Event) -> None:
        self._socket = socket
        self._deadline = deadline
        self._gone = gone

    async def begin(self, *, fail_health_checks: bool) -> None:
        """HTTP/1 answers get `connection: close`, HTTP/2 a GOAWAY. Listeners stay open: a balancer in front has to see
        the failing health check first."""
        if fail_health_checks:
            await self._post("/healthcheck/fail")
        await self._post("/drain_listeners?graceful&skip_exit")

    async def close_listeners(self) -> None:
        """No new connections; those that are there go on."""
        await self._post("/drain_listeners")

    async def until_calm(self, quiet: float, deadline: float | None = None) -> bool:
        """Whether calm was reached before the deadline."""
        limit = self._deadline if deadline is None else min(deadline, self._deadline)
        calm = Calm()
        while not self._gone.is_set():
            try:
                body = await admin.ask(self._socket, admin.statistics_path(PATTERN), timeout=2.0)
                now = time.monotonic()
                calm = calm.after(traffic(admin.numbers(body)), now)
            except (admin.AdminError, ValueError):
                now, calm = time.monotonic(), Calm()  # unknown is not calm
            if calm.reached(now, quiet):
                return True
            if now >= limit:
                return False
            await self._pause(min(_POLL_SECONDS, limit - now))
        return True

    async def settle(self, seconds: float) -> None:
        await self._pause(min(seconds, max(0.0, self._deadline - time.monotonic())))

    async def until(self, condition: Callable[[], bool], seconds: float) -> None:
        end = min(self._deadline, time.monotonic() + seconds)
        while not condition() and not self._gone.is_set() and time.monotonic() < end:
            await self._pause(0.01)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._gone.wait()
        except TimeoutError:
            return

    async def _post(self, path: str) -> None:
        if self._gone.is_set():
            return
        try:
            await admin.ask(self._socket, path, method="POST", timeout=2.0)
        except admin.AdminError:
            return  # it hangs or has ended: the deadline and SIGKILL deal with it
