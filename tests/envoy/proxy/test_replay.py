"""An Envoy that has to start while the control plane is away gets its configuration from the replay server."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest
from proxy_harness import CONTROL_PLANE, Supervised, bootstrap, eventually, free_port, http_listener, upstream

pytestmark = pytest.mark.envoy


def options(folder: Path) -> tuple[str, str]:
    command = [sys.executable, str(CONTROL_PLANE.with_name("replay.py")), str(folder / "replay")]
    return ("--replay-command", json.dumps(command))


def told(folder: Path) -> list[str]:
    return (folder / "replay").read_text().splitlines() if (folder / "replay").exists() else []


def test_it_stands_in_until_a_control_plane_is_ready_and_says_so(folder: Path) -> None:
    async def scenario() -> None:
        port = free_port()
        async with upstream() as behind, Supervised(folder, *options(folder)) as supervised:
            supervised.want(shop=bootstrap([http_listener(port)], behind.port))
            envoy = await supervised.serving("shop")
            control = await supervised.control_pid()
            os.kill(control, signal.SIGSTOP)  # away: no heartbeat for 2 s, and not to be replaced before 10 s
            await eventually(lambda: away(supervised))
            os.kill(envoy.pid, signal.SIGKILL)
            again = await supervised.serving("shop", besides=envoy.pid)
            await eventually(lambda: told(folder) == ["begins"])
            os.kill(again.pid, signal.SIGKILL)  # another start, and still one replay
            await supervised.serving("shop", besides=again.pid)
            assert told(folder) == ["begins"]
            os.kill(control, signal.SIGCONT)
            await eventually(lambda: told(folder) == ["begins", "ends"])
            await eventually(lambda: "control | listens again" in supervised.text())
            assert supervised.text().count("control | listens again") == 1
            assert await supervised.stop() == 0

    asyncio.run(scenario())


async def away(supervised: Supervised) -> bool:
    return not (await supervised.facts())["control_ready"]


def test_it_is_not_needed_while_the_control_plane_is_there(folder: Path) -> None:
    async def scenario() -> None:
        port = free_port()
        async with upstream() as behind, Supervised(folder, *options(folder)) as supervised:
            supervised.want(shop=bootstrap([http_listener(port)], behind.port))
            envoy = await supervised.serving("shop")
            os.kill(envoy.pid, signal.SIGKILL)
            await supervised.serving("shop", besides=envoy.pid)
            assert await supervised.stop() == 0
        assert told(folder) == []

    asyncio.run(scenario())
