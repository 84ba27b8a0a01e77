"""The supervisor with a real Envoy: who may die, and what then."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from proxy_harness import (
    Connection,
    Load,
    Supervised,
    alive,
    bootstrap,
    eventually,
    free_port,
    get,
    http_listener,
    upstream,
)

from sampan.proxy import admin, paths, ports

pytestmark = pytest.mark.envoy


async def answers(port: int) -> bool:
    return (await get(port)).status == 200


def test_a_killed_control_plane_fails_no_request_and_the_next_one_adopts_the_envoy(folder: Path) -> None:
    async def scenario() -> None:
        port = free_port()
        async with upstream() as behind, Supervised(folder) as supervised:
            supervised.want(shop=bootstrap([http_listener(port)], behind.port))
            envoy = await supervised.serving("shop")
            async with Load(port) as load:
                for _ in range(2):
                    control = await supervised.control_pid()
                    await load.more()
                    os.kill(control, signal.SIGKILL)
                    await supervised.control_pid(besides=control)
                    await load.more()
                await eventually(lambda: supervised.text().count("the control plane ended (signal 9 (SIGKILL))") == 2)
            assert load.failures == []
            assert [run.pid for run in await supervised.proxies()] == [envoy.pid]
            assert await supervised.stop() == 0

    asyncio.run(scenario())


def test_a_killed_envoy_serves_again_at_once(folder: Path) -> None:
    async def scenario() -> None:
        port = free_port()
        async with upstream() as behind, Supervised(folder) as supervised:
            supervised.want(shop=bootstrap([http_listener(port)], behind.port))
            first = await supervised.serving("shop")
            os.kill(first.pid, signal.SIGKILL)
            await eventually(lambda: not alive(first.pid))
            await eventually(lambda: answers(port))
            assert "(signal 9 (SIGKILL)), starts again at once" in supervised.text()  # its seconds: bench/start.py
            second = await supervised.serving("shop", besides=first.pid)
            link = paths.admin_link(supervised.runtime, "shop")
            assert os.path.realpath(link) == str(second.admin)
            assert await asyncio.to_thread(admin.state, link) == "LIVE"

    asyncio.run(scenario())


def test_a_killed_supervisor_takes_everything_with_it(folder: Path) -> None:
    async def scenario() -> None:
        port = free_port()
        async with upstream() as behind, Supervised(folder) as supervised:
            supervised.want(shop=bootstrap([http_listener(port)], behind.port))
            await supervised.serving("shop")
            children = supervised.children()
            assert len(children) == 2
            assert [os.getpgid(pid) for pid in children] == children  # Ctrl-C is the supervisor's alone
            supervised.process.kill()
            await supervised.process.wait()
            await eventually(lambda: not any(alive(pid) for pid in children), 2)
            # A process with threads is a zombie before the last of them has closed its sockets.
            await eventually(lambda: ports.in_use("127.0.0.1", port) is None, 2)

    asyncio.run(scenario())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_graceful_stop_finishes_what_is_in_flight_and_leaves_nothing(folder: Path, number: signal.Signals) -> None:
    async def scenario() -> None:
        port = free_port()
        async with upstream() as behind, Supervised(folder) as supervised:
            supervised.want(shop=bootstrap([http_listener(port)], behind.port))
            envoy = await supervised.serving("shop")
            children = supervised.children()
            idle = await Connection.open(port)
            await idle.get()
            slow = asyncio.ensure_future(get(port, "/held"))
            await behind.held.wait()
            stop = asyncio.ensure_future(supervised.stop(number))
            await eventually(lambda: is_draining(supervised))
            assert alive(envoy.pid)
            behind.release.set()
            assert (await slow).status == 200
            begin = time.monotonic()
            assert await stop == 0
            assert time.monotonic() - begin < 5  # the idle connection did not hold it for the limit of 10 s
            assert not any(alive(pid) for pid in children)
            assert not paths.supervisor_socket(supervised.runtime).exists()
            with pytest.raises(ConnectionRefusedError):
                await get(port)
            await idle.close()

    asyncio.run(scenario())


async def is_draining(supervised: Supervised) -> bool:
    return [run.state for run in await supervised.proxies()] == ["draining"]


def test_new_connections_end_at_half_the_limit_and_what_is_in_flight_goes_on(folder: Path) -> None:
    async def scenario() -> None:
        port = free_port()
        async with upstream() as behind, Supervised(folder, "--drain-seconds", "4") as supervised:
            supervised.want(shop=bootstrap([http_listener(port)], behind.port))
            await supervised.serving("shop")
            slow = asyncio.ensure_future(get(port, "/held"))
            await behind.held.wait()
            stop = asyncio.ensure_future(supervised.stop())
            await eventually(lambda: is_draining(supervised))
            begin = time.monotonic()
            assert (await get(port)).headers["connection"] == "close"
            await eventually(lambda: ports.in_use("127.0.0.1", port) is None)
            assert 1.5 < time.monotonic() - begin < 3
            behind.release.set()
            assert (await slow).status == 200
            assert await stop == 0

    asyncio.run(scenario())


def test_what_does_not_finish_is_cut_at_the_drain_limit(folder: Path) -> None:
    async def scenario() -> None:
        port = free_port()
        async with upstream() as behind, Supervised(folder, "--drain-seconds", "1") as supervised:
            supervised.want(shop=bootstrap([http_listener(port)], behind.port))
            await supervised.serving("shop")
            slow = asyncio.ensure_future(get(port, "/held"))
            await behind.held.wait()
            begin = time.monotonic()
            assert await supervised.stop() == 0
            assert 0.9 < time.monotonic() - begin < 4
            with pytest.raises((OSError, asyncio.IncompleteReadError)):
                await slow

    asyncio.run(scenario())


def test_a_second_signal_ends_at_once(folder: Path) -> None:
    async def scenario() -> None:
        port = free_port()
        async with upstream() as behind, Supervised(folder, "--drain-seconds", "60") as supervised:
            supervised.want(shop=bootstrap([http_listener(port)], behind.port))
            await supervised.serving("shop")
            children = supervised.children()
            slow = asyncio.ensure_future(get(port, "/held"))
            await behind.held.wait()
            supervised.process.send_signal(signal.SIGINT)
            await eventually(lambda: is_draining(supervised))
            assert await supervised.stop(signal.SIGINT, seconds=3) == 128 + signal.SIGINT
            await eventually(lambda: not any(alive(pid) for pid in children), 2)
            with pytest.raises((OSError, asyncio.IncompleteReadError)):
                await slow

    asyncio.run(scenario())


def test_a_control_plane_that_hangs_is_replaced(folder: Path) -> None:
    async def scenario() -> None:
        port = free_port()
        async with upstream() as behind, Supervised(folder, "--silence-seconds", "1") as supervised:
            supervised.want(shop=bootstrap([http_listener(port)], behind.port))
            envoy = await supervised.serving("shop")
            control = await supervised.control_pid()
            os.kill(control, signal.SIGSTOP)
            await supervised.control_pid(besides=control)
            assert "the control plane said nothing for 1.0 s" in supervised.text()
            assert not alive(control)
            assert [run.pid for run in await supervised.proxies()] == [envoy.pid]

    asyncio.run(scenario())


def test_a_supervisor_that_was_stopped_itself_does_not_blame_the_control_plane(folder: Path) -> None:
    """A machine that was paused wakes up: the supervisor first, the control plane a moment later."""

    async def scenario() -> None:
        async with Supervised(folder, "--silence-seconds", "1") as supervised:
            control = await supervised.control_pid()
            await eventually(lambda: knows_ready(supervised))
            os.kill(control, signal.SIGSTOP)
            supervised.process.send_signal(signal.SIGSTOP)
            begin = time.monotonic()
            await eventually(lambda: time.monotonic() - begin > 2)
            supervised.process.send_signal(signal.SIGCONT)
            await eventually(supervised.facts)
            await eventually(supervised.facts)
            os.kill(control, signal.SIGCONT)
            await eventually(lambda: knows_ready(supervised))
            assert await supervised.control_pid() == control
            assert "killing it" not in supervised.text()

    asyncio.run(scenario())


async def knows_ready(supervised: Supervised) -> bool:
    return bool((await supervised.facts())["control_ready"])


def test_a_second_supervisor_is_refused(folder: Path) -> None:
    async def scenario() -> None:
        async with Supervised(folder) as first:
            await first.control_pid()
            second = Supervised(folder)
            second.log = folder / "second"
            async with second:
                assert await second.process.wait() == 1
                assert f"another supervisor (pid {first.process.pid}) is running in {first.runtime}" in second.text()
                assert "--runtime" in second.text()
            assert await first.stop() == 0

    asyncio.run(scenario())


@pytest.mark.parametrize("status", [0, 2])
def test_a_control_plane_with_nothing_to_do_ends_everything_with_its_status(folder: Path, status: int) -> None:
    async def scenario() -> None:
        control = (sys.executable, "-c", f"import sys; print('so long'); sys.exit({status})")
        async with Supervised(folder, control=control) as supervised:
            assert await supervised.process.wait() == status
            assert "control | so long" in supervised.text()

    asyncio.run(scenario())


def test_a_control_plane_that_crashes_at_its_start_is_tried_again(folder: Path) -> None:
    async def scenario() -> None:
        async with Supervised(folder, control=(sys.executable, "-c", "raise SystemExit(3)")) as supervised:
            await eventually(lambda: "(status 3), starts again in 1.0 s" in supervised.text())
            assert "(status 3), starts again at once" in supervised.text()
            assert await supervised.stop() == 0

    asyncio.run(scenario())


def test_an_envoy_that_crashes_in_a_loop_is_started_ever_more_slowly_and_a_better_bootstrap_at_once(
    folder: Path,
) -> None:
    async def scenario() -> None:
        port = free_port()
        async with upstream() as behind, Supervised(folder) as supervised:
            good = bootstrap([http_listener(port)], behind.port)
            supervised.want(shop={**good, "no_such_field": 1})
            await eventually(lambda: "starts again in 2.0 s" in supervised.text(), 15)
            told = [line.rpartition("starts again ")[2] for line in supervised.text().splitlines() if "starts" in line]
            assert told[:5] == ["at once", "in 0.2 s", "in 0.5 s", "in 1.0 s", "in 2.0 s"]
            assert "envoy shop | " in supervised.text()
            deaths = supervised.text().count("starts again")
            supervised.want(shop=good)
            await eventually(lambda: answers(port))
            assert supervised.text().count("starts again") <= deaths + 1  # the one that ran when it changed

    asyncio.run(scenario())


def test_what_is_not_wanted_any_more_drains_and_the_rest_stays(folder: Path) -> None:
    async def scenario() -> None:
        kept, dropped = free_port(), free_port()
        async with upstream() as behind, Supervised(folder) as supervised:
            stays = bootstrap([http_listener(kept)], behind.port)
            supervised.want(kept=stays, dropped=bootstrap([http_listener(dropped)], behind.port))
            envoy = await supervised.serving("kept")
            await supervised.serving("dropped")
            slow = asyncio.ensure_future(get(dropped, "/held"))
            await behind.held.wait()
            supervised.want(kept=stays)
            await eventually(lambda: states(supervised, "dropped", ["draining"]))
            behind.release.set()
            assert (await slow).status == 200
            await eventually(lambda: states(supervised, "dropped", []))
            assert [run.pid for run in await supervised.proxies()] == [envoy.pid]
            assert not paths.admin_link(supervised.runtime, "dropped").is_symlink()

    asyncio.run(scenario())


async def states(supervised: Supervised, name: str, expected: list[str]) -> bool:
    return [run.state for run in await supervised.proxies() if run.proxy == name] == expected
