"""A program that the supervisor runs beside the control plane."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest
from proxy_harness import Load, Supervised, alive, bootstrap, eventually, free_port, get, http_listener, upstream

pytestmark = pytest.mark.envoy

# Says that it runs, and that it is asked to end.
PROGRAM = """
import signal, sys
print("it runs", flush=True)
signal.sigwait({signal.SIGTERM}) if len(sys.argv) < 2 else sys.exit(int(sys.argv[1]))
print("it ends", file=sys.stderr, flush=True)
"""
BLOCKED = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})" + PROGRAM


def companion(*arguments: str) -> tuple[str, str]:
    return "--companion", f"registry={json.dumps([sys.executable, '-c', BLOCKED, *arguments])}"


async def pid(supervised: Supervised, besides: int = 0) -> int:
    async def look() -> int:
        found = int((await supervised.facts())["companions"].get("registry", 0))
        return 0 if found == besides else found

    return int(await eventually(look))


def test_killed_it_is_back_at_once_and_no_request_fails(folder: Path) -> None:
    async def scenario() -> None:
        port = free_port()
        async with upstream() as behind, Supervised(folder, *companion()) as supervised:
            supervised.want(shop=bootstrap([http_listener(port)], behind.port))
            envoy = await supervised.serving("shop")
            first = await pid(supervised)
            async with Load(port) as load:
                await load.more()
                os.kill(first, signal.SIGKILL)
                await pid(supervised, besides=first)
                await load.more()
            assert load.failures == []
            assert "the registry ended (signal 9 (SIGKILL)), starts again at once" in supervised.text()
            assert [run.pid for run in await supervised.proxies()] == [envoy.pid]
            await eventually(lambda: supervised.text().count("registry | it runs") == 2)

    asyncio.run(scenario())


def test_it_ends_after_requests_in_flight(folder: Path) -> None:
    async def scenario() -> None:
        port = free_port()
        async with upstream() as behind, Supervised(folder, *companion()) as supervised:
            supervised.want(shop=bootstrap([http_listener(port)], behind.port))
            await supervised.serving("shop")
            await eventually(lambda: "registry | it runs" in supervised.text())
            ours = await pid(supervised)
            held = asyncio.ensure_future(get(port, "/held"))
            await behind.held.wait()
            supervised.process.send_signal(signal.SIGTERM)
            await eventually(lambda: "draining" in supervised.text())
            assert alive(ours)
            behind.release.set()
            assert (await held).status == 200
            assert await supervised.process.wait() == 0
            assert not alive(ours)
            assert "registry | it ends" in supervised.text()

    asyncio.run(scenario())


def test_one_that_cannot_run_holds_up_nobody(folder: Path) -> None:
    async def scenario() -> None:
        port = free_port()
        async with upstream() as behind, Supervised(folder, *companion("3")) as supervised:
            supervised.want(shop=bootstrap([http_listener(port)], behind.port))
            await supervised.serving("shop")
            await eventually(lambda: "the registry ended (status 3), starts again in 0.5 s" in supervised.text())
            assert (await get(port)).status == 200
            assert await supervised.stop() == 0

    asyncio.run(scenario())


def test_a_command_that_is_not_there_is_told(folder: Path) -> None:
    async def scenario() -> None:
        async with Supervised(folder, "--companion", 'registry=["/nowhere/registry"]') as supervised:
            await eventually(lambda: "the registry ended ([Errno 2]" in supervised.text())
            assert await supervised.stop() == 0

    asyncio.run(scenario())


def test_killing_the_supervisor_takes_it_along(folder: Path) -> None:
    async def scenario() -> None:
        async with Supervised(folder, *companion()) as supervised:
            ours = await pid(supervised)
            supervised.process.kill()
            await supervised.process.wait()
            await eventually(lambda: not alive(ours))

    asyncio.run(scenario())
