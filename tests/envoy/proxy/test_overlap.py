"""A changed bootstrap restarts its Envoy beside the old one."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from proxy_harness import (
    Load,
    Supervised,
    alive,
    bootstrap,
    eventually,
    free_port,
    get,
    http_listener,
    tcp_listener,
    upstream,
)

from sampan.proxy import steering

pytestmark = pytest.mark.envoy


def test_restarts_with_overlap_fail_no_request(folder: Path) -> None:
    async def scenario() -> None:
        port = free_port()
        async with upstream() as behind, Supervised(folder, "--drain-seconds", "5") as supervised:
            supervised.want(shop=bootstrap([http_listener(port, header="0")], behind.port))
            envoy = await supervised.serving("shop")
            async with Load(port, workers=16) as load:
                for number in range(1, 4):
                    supervised.want(shop=bootstrap([http_listener(port, header=str(number))], behind.port))
                    old, envoy = envoy, await supervised.serving("shop", besides=envoy.pid)
                    await eventually(lambda pid=old.pid: not alive(pid), 15)
            assert load.failures == []
            assert load.versions == {"0", "1", "2", "3"}
            assert load.slowest < 2
            assert not steering.listens(old.pid)
            assert (await get(port)).headers["x-version"] == "3"

    asyncio.run(scenario())


def test_new_connections_go_to_the_new_envoy_only(folder: Path) -> None:
    """While the old one, which holds a slow request, still drains."""

    async def scenario() -> None:
        port = free_port()
        async with upstream() as behind, Supervised(folder, "--drain-seconds", "8") as supervised:
            supervised.want(shop=bootstrap([http_listener(port, header="old")], behind.port))
            old = await supervised.serving("shop")
            slow = asyncio.ensure_future(get(port, "/held"))
            await behind.held.wait()
            supervised.want(shop=bootstrap([http_listener(port, header="new")], behind.port))
            new = await supervised.serving("shop", besides=old.pid)
            await eventually(lambda: not steering.listens(old.pid))
            assert {(await get(port)).headers["x-version"] for _ in range(50)} == {"new"}
            assert alive(old.pid)
            behind.release.set()
            assert (await slow).headers["x-version"] == "old"
            await eventually(lambda: not alive(old.pid))
            assert alive(new.pid)

    asyncio.run(scenario())


def test_a_bootstrap_that_does_not_come_up_leaves_the_old_envoy_serving(folder: Path) -> None:
    async def scenario() -> None:
        port = free_port()
        async with upstream() as behind, Supervised(folder) as supervised:
            good = bootstrap([http_listener(port)], behind.port)
            supervised.want(shop=good)
            envoy = await supervised.serving("shop")
            async with Load(port, workers=2) as load:
                supervised.want(shop={**good, "no_such_field": 1})
                await eventually(lambda: "does not come up" in supervised.text())
                await load.more(50)
                supervised.want(shop=good)
                await eventually(lambda: only(supervised, envoy.pid))
            assert load.failures == []

    asyncio.run(scenario())


async def only(supervised: Supervised, pid: int) -> bool:
    return [(run.pid, run.state) for run in await supervised.proxies()] == [(pid, "ready")]


def test_an_open_tcp_connection_holds_the_drain_to_its_end(folder: Path) -> None:
    async def scenario() -> None:
        port = free_port()
        async with upstream() as behind, Supervised(folder, "--drain-seconds", "20") as supervised:
            supervised.want(shop=bootstrap([tcp_listener(port)], behind.port))
            await supervised.serving("shop")
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"ping\n")
            assert await reader.readline() == b"ping\n"
            supervised.process.send_signal(signal.SIGTERM)
            await eventually(lambda: drained(supervised))
            writer.write(b"still there?\n")
            assert await reader.readline() == b"still there?\n"
            writer.close()
            async with asyncio.timeout(5):
                assert await supervised.process.wait() == 0

    asyncio.run(scenario())


async def drained(supervised: Supervised) -> bool:
    return [run.state for run in await supervised.proxies()] == ["draining"]


def test_the_new_envoy_dying_during_the_handover_is_started_again(folder: Path) -> None:
    async def scenario() -> None:
        port = free_port()
        async with upstream() as behind, Supervised(folder) as supervised:
            supervised.want(shop=bootstrap([http_listener(port, header="old")], behind.port))
            old = await supervised.serving("shop")
            supervised.want(shop=bootstrap([http_listener(port, header="new")], behind.port))
            new = await supervised.serving("shop", besides=old.pid)
            os.kill(new.pid, signal.SIGKILL)
            again = await supervised.serving("shop", besides=new.pid)
            await eventually(lambda: only(supervised, again.pid))
            assert (await get(port)).headers["x-version"] == "new"

    asyncio.run(scenario())
