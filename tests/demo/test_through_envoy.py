"""The demo's traffic, checks and rows through a real Envoy that was configured by hand."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from sampan.demo.check import PROBES, check
from sampan.demo.client import Client
from sampan.demo.instance import Instance
from sampan.demo.live import STATS_PATH, rows, sample
from sampan.demo.shop import Ports, Shop
from sampan.demo.traffic import Traffic

pytestmark = pytest.mark.envoy

Gateway = Callable[[Path, Ports, tuple[Instance, ...]], AbstractAsyncContextManager[Client]]


def through_envoy(
    plain_envoy: Gateway, folder: Path, ports: Ports, work: Callable[[Shop, Client], Awaitable[None]]
) -> None:
    async def run() -> None:
        async with (
            asyncio.timeout(60),
            Shop(ports) as shop,
            plain_envoy(folder, ports, shop.instances) as admin,
        ):
            await work(shop, admin)

    asyncio.run(run())


def test_every_probe_passes(plain_envoy: Gateway, tmp_path: Path, ports: Ports) -> None:
    async def work(shop: Shop, _: Client) -> None:
        results = await check(shop.ports)
        assert len(results) == len(PROBES)
        assert [result for result in results if not result.ok] == []

    through_envoy(plain_envoy, tmp_path, ports, work)


def test_traffic_reaches_every_route_without_errors_and_envoy_counts_it(
    plain_envoy: Gateway, tmp_path: Path, ports: Ports
) -> None:
    async def work(shop: Shop, admin: Client) -> None:
        traffic = Traffic(shop.ports, rate=200)
        before = sample((await admin.get(STATS_PATH)).body, 0.0)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(traffic.run())
            while len(traffic.counts) < 7 or min(count.sent for count in traffic.counts.values()) < 2:
                await asyncio.sleep(0.02)
            running.cancel()
        assert {name: count.last_error for name, count in traffic.counts.items() if count.errors} == {}
        after = sample((await admin.get(STATS_PATH)).body, 1.0)
        busy = {row.label for row in rows(before, after, {}) if row.request_rate}
        assert len(busy) == 7

    through_envoy(plain_envoy, tmp_path, ports, work)


def test_a_service_that_is_gone_is_seen_by_its_probes_only(plain_envoy: Gateway, tmp_path: Path, ports: Ports) -> None:
    async def run() -> None:
        async with asyncio.timeout(60), Shop(ports) as shop:
            kept = tuple(instance for instance in shop.instances if instance.service != "parrot")
            async with plain_envoy(tmp_path, ports, kept):
                results = await check(shop.ports)
        assert [result.name for result in results if not result.ok] == ["parrot: TCP"]

    asyncio.run(run())
