"""A small Consul of ours that can be made to misbehave: catalogue, health and states with blocking queries, several
datacentres, and for any path an answer of the test's choice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web

from sampan.consul.durations import parse_duration

from ..unit.sources.consul.answers import check, entry
from .fake import answer

Services = dict[str, dict[str, dict[str, Any]]]


def cut(transport: asyncio.BaseTransport) -> web.Response:
    """As Consul 1.8 does: without a word."""
    assert isinstance(transport, asyncio.Transport)
    transport.abort()
    return web.Response()


def too_many(transport: asyncio.BaseTransport) -> web.Response:
    """As later ones do."""
    response = web.Response(status=429, text="Your IP is issuing too many concurrent connections")
    response.force_close()
    return response


class FakeConsul:
    """A handler for `fake.serving`. `faults` are by the beginning of a path: what to answer instead."""

    def __init__(self, limit: int = 200, index: int = 10) -> None:
        self.index, self.limit = index, limit
        self.datacenters: dict[str, Services] = {"dc1": {}}
        self.faults: dict[str, Callable[[], web.Response]] = {}
        self.counts: dict[str, int] = {}
        self.most_admitted = 1 << 30
        self.refuse = cut
        """What becomes of connections beyond `most_admitted`."""
        self._running: dict[asyncio.BaseTransport, int] = {}
        self.most_open = 0
        self._indexes: dict[tuple[str, str], int] = {}
        self._moved = asyncio.Event()

    # ---- what a test does

    def register(self, name: str, port: int = 8080, status: str = "passing", dc: str = "dc1", **more: Any) -> None:
        one = entry(name=name, port=port, checks=(check(status, f"check-{name}-{port}"),), **more)
        one["Checks"][1] |= {"ServiceName": name, "CheckID": f"check-{name}-{port}"}
        self.datacenters.setdefault(dc, {}).setdefault(name, {})[one["Service"]["ID"]] = one
        self._move(dc, name)

    def deregister(self, name: str, dc: str = "dc1") -> None:
        del self.datacenters[dc][name]
        self._move(dc, name)

    def begin_anew(self, index: int) -> None:
        """As after a restore: nothing is left, and indexes begin at a lower one."""
        self.datacenters = {"dc1": {}}
        self._indexes.clear()
        self.index = index
        self.wake()

    def wake(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    def _move(self, dc: str, name: str) -> None:
        self.index += 1
        self._indexes[dc, name] = self.index
        self.wake()

    # ---- what it answers

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.counts[request.path] = self.counts.get(request.path, 0) + 1
        transport = request.transport
        assert transport is not None
        if not self._admitted(transport):
            return self.refuse(transport)
        self._running[transport] += 1
        try:
            return await self._answer(request)
        finally:
            self._running[transport] -= 1

    @property
    def open(self) -> int:
        """Connections as Consul counts them: those that are there, and those that are not and have a query running."""
        for transport, running in list(self._running.items()):
            if transport.is_closing() and not running:
                del self._running[transport]
        return len(self._running)

    def _admitted(self, transport: asyncio.BaseTransport) -> bool:
        if transport in self._running:
            return True
        if self.open >= self.most_admitted:
            return False
        self._running[transport] = 0
        self.most_open = max(self.most_open, self.open)
        return True

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        for beginning, fault in self.faults.items():
            if request.path.startswith(beginning):
                return fault()
        if request.path == "/v1/agent/self":
            config = {"Datacenter": "dc1", "NodeName": "n1", "Version": "1.20.0"}
            return answer({"Config": config, "DebugConfig": {"HTTPMaxConnsPerClient": self.limit}}, None)
        dc = request.query.get("dc", "dc1")
        if dc not in self.datacenters:
            return web.Response(status=500, text="No path to datacenter")
        asked = int(request.query.get("index", "0"))
        name = request.path.rpartition("/")[2]
        per_service = request.path.startswith("/v1/health/service/")
        until = asyncio.get_running_loop().time() + parse_duration(request.query.get("wait", "5m"))
        while asked and asked >= (self._indexes.get((dc, name), self.index) if per_service else self.index):
            try:
                async with asyncio.timeout_at(until):
                    await self._moved.wait()
            except TimeoutError:
                break
            for beginning, fault in self.faults.items():
                if request.path.startswith(beginning):
                    return fault()
        index = self._indexes.get((dc, name), self.index) if per_service else self.index
        return answer(self._body(request.path, self.datacenters.get(dc, {}), name), index)

    def _body(self, path: str, services: Services, name: str) -> Any:
        if path == "/v1/catalog/services":
            return {"consul": [], **{each: [] for each in services}}
        if path.startswith("/v1/health/state/"):
            entries = [each for instances in services.values() for each in instances.values()]
            return [item for each in entries for item in each["Checks"] if item["Status"] == name]
        return list(services.get(name, {}).values())
