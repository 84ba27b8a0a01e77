"""Kills one of two instances, and watches the registry and the gateway find out: it goes, and its successor comes."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sampan.demo.check import NotSeenError, Result, expect, result
from sampan.demo.client import Client
from sampan.demo.instance import Instance
from sampan.demo.shop import Shop
from sampan.demo.traffic import FAILURES, words

VICTIM = "catalogue-2"
PATIENCE = 12.0
PACE = 0.005  # seconds between requests


async def check(shop: Shop, registry: str) -> Result:
    """`registry` is host:port."""
    asked = f"kill -9 of {VICTIM}, then GET /api/catalogue all the time"
    return await result("registry: an instance is killed", asked, _killed(shop, registry), PATIENCE)


async def _killed(shop: Shop, registry: str) -> str:
    clock = asyncio.get_running_loop().time
    victim = next(instance for instance in shop.instances if instance.name == VICTIM)
    os.kill(victim.pid, signal.SIGKILL)
    began = clock()
    # What it was answering at that moment is lost, whoever stands before it; what comes after shall not be.
    while victim in shop.instances:
        await asyncio.sleep(PACE)
    async with _asking(shop) as seen:
        while victim.address in await _passing(registry, victim.service):
            await asyncio.sleep(PACE)
        gone = clock() - began
        while not seen.successors(victim):
            await asyncio.sleep(PACE)
        back = clock() - began
    expect(not seen.failures, f"{len(seen.failures)} of {seen.count} requests failed: {'; '.join(seen.failures[:2])}")
    return (
        f"out of the registry after {gone:.1f} s, a new one answers after {back:.1f} s; {seen.count} requests, all 200"
    )


@dataclass(slots=True)
class Seen:
    """What requests came to. `pids` by the name of the instance that answered."""

    count: int = 0
    failures: list[str] = field(default_factory=list)
    pids: dict[str, set[str]] = field(default_factory=dict)

    def successors(self, victim: Instance) -> set[str]:
        return self.pids.get(victim.name, set()) - {str(victim.pid)}


@asynccontextmanager
async def _asking(shop: Shop) -> AsyncIterator[Seen]:
    """One request after another through the gateway, while the block runs."""
    seen = Seen()
    ending = asyncio.Event()

    async def ask() -> None:
        async with Client("127.0.0.1", shop.ports.web) as client:
            while not ending.is_set():
                seen.count += 1
                try:
                    answer = await client.get("/api/catalogue")
                except FAILURES as error:
                    seen.failures.append(words(error))
                else:
                    seen.pids.setdefault(answer.instance, set()).add(answer.headers.get("x-pid", ""))
                    if answer.status != 200:
                        seen.failures.append(f"status {answer.status}")
                await asyncio.sleep(PACE)

    asking = asyncio.ensure_future(ask())
    try:
        yield seen
        ending.set()
        await asking
    finally:
        asking.cancel()


async def _passing(registry: str, service: str) -> set[str]:
    """host:port of the instances whose checks pass."""
    host, _, port = registry.rpartition(":")
    headers = {"x-consul-token": os.environ.get("SAMPAN_REGISTRY_TOKEN", "")}
    async with Client(host.strip("[]"), int(port), registry) as client:
        answer = await client.get(f"/v1/health/service/{service}?passing=true", {k: v for k, v in headers.items() if v})
    if answer.status != 200:
        raise NotSeenError(f"the registry answers {answer.status}")
    return {f"{entry['Service']['Address']}:{entry['Service']['Port']}" for entry in answer.json()}
