"""No request fails while the configuration changes, the control plane dies or another takes over."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from xds_harness import (
    DEADLINE,
    SCOPE,
    Envoy,
    backend,
    endpoint_row,
    listener_row,
    request,
    route_row,
    running,
    service_rows,
    until,
)

from sampan.envoy.table import Table, table
from sampan.envoy.types import CLUSTER, ENDPOINT
from sampan.xds import store
from sampan.xds.control import Connected, Control, Notice
from sampan.xds.server import serving

pytestmark = pytest.mark.envoy


@contextlib.asynccontextmanager
async def asked(port: int, loops: int = 4) -> AsyncIterator[Counter[str]]:
    """Request loops on keep-alive connections while the block runs; counts answers by status line and body."""
    seen: Counter[str] = Counter()
    stop = False

    async def loop() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            while not stop:
                writer.write(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n")
                head = await reader.readuntil(b"\r\n\r\n")
                fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
                body = await reader.readexactly(int(fields[b"content-length"]))
                status = head.split()[1]
                seen["ok" if status == b"200" else f"{status.decode()} {body.decode()}"] += 1
        finally:
            writer.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(loops):
            group.create_task(loop())
        try:
            yield seen
        finally:
            stop = True


def failed(seen: Counter[str]) -> dict[str, int]:
    return {answer: number for answer, number in seen.items() if answer != "ok"}


def shop(envoy: Envoy, name: str, port: int) -> Table:
    return table([*service_rows(name, port), listener_row(envoy.port), route_row({"/": name})])


def test_a_route_moves_to_a_new_cluster_forty_times_without_a_failed_request(folder: Path) -> None:
    async def scenario() -> Counter[str]:
        control = Control(linger=0.1)
        async with (
            backend("x", delay=0.002) as port,
            serving(control, folder / "xds.sock"),
            running(folder) as envoy,
        ):
            now = shop(envoy, "s0", port)
            assert await control.settled(SCOPE, control.publish(SCOPE, now), DEADLINE)
            await envoy.serves(b"x")
            async with asked(envoy.port) as seen:
                for number in range(1, 41):
                    # One publication: a new service, the route to it, the old service gone.
                    old = [(type_url, f"s{number - 1}") for type_url in (CLUSTER, ENDPOINT)]
                    now = now.with_rows([*service_rows(f"s{number}", port), route_row({"/": f"s{number}"})], old)
                    before = seen["ok"]
                    assert await control.settled(SCOPE, control.publish(SCOPE, now), DEADLINE)

                    async def asked_on(before: int = before) -> bool:
                        return seen["ok"] >= before + 20 or bool(failed(seen))

                    await until(asked_on, "requests go on")

                async def one_left() -> bool:
                    return await envoy.stat("cluster_manager.active_clusters") == 2

                await until(one_left, "old clusters are removed")
            return seen

    seen = asyncio.run(scenario())
    assert failed(seen) == {}
    assert seen["ok"] >= 800


def test_many_publications_at_once_lead_to_the_last_without_a_failed_request(folder: Path) -> None:
    async def scenario() -> Counter[str]:
        control = Control(linger=0.1)
        async with backend("x") as port, serving(control, folder / "xds.sock"), running(folder) as envoy:
            assert await control.settled(SCOPE, control.publish(SCOPE, shop(envoy, "s0", port)), DEADLINE)
            await envoy.serves(b"x")
            async with asked(envoy.port) as seen:
                revision = 0
                for number in range(1, 200):
                    revision = control.publish(SCOPE, shop(envoy, f"s{number}", port))
                    control.publish_rows(SCOPE, [endpoint_row(f"s{number}", port, port)])
                    await asyncio.sleep(0)
                assert await control.settled(SCOPE, revision, DEADLINE)
            return seen

    assert failed(asyncio.run(scenario())) == {}


def test_the_next_control_plane_adopts_the_proxy_and_sends_nothing_again(folder: Path) -> None:
    async def scenario() -> None:
        async with backend("x") as port, running(folder) as envoy:
            rows = shop(envoy, "a", port)
            first = Control()
            async with serving(first, folder / "xds.sock"):
                assert await first.settled(SCOPE, first.publish(SCOPE, rows), DEADLINE)
                await envoy.serves(b"x")
            updates = await updated(envoy)
            async with asked(envoy.port) as seen:
                second = Control()
                sent: list[int] = []
                count_responses(second, sent)
                connected = asyncio.Event()
                second.observe(lambda notice: connected.set() if isinstance(notice.what, Connected) else None)
                async with serving(second, folder / "xds.sock"):
                    await asyncio.wait_for(connected.wait(), DEADLINE)  # and keeps what it has: nothing is published
                    assert await second.settled(SCOPE, second.publish(SCOPE, rows), DEADLINE)
                    assert sent == []
                    assert await updated(envoy) == updates
                    (node,) = second.nodes()
                    assert node.types[CLUSTER].confirmed == {"a": rows.of(CLUSTER)["a"].version}
            assert failed(seen) == {}

    async def updated(envoy: Envoy) -> int:
        return await envoy.stat("cluster_manager.cds.update_success") + await envoy.stat(
            "listener_manager.lds.update_success"
        )

    asyncio.run(scenario())


def count_responses(control: Control, sent: list[int]) -> None:
    """Notes the size of each response in `sent`."""
    opened = control.open

    def open_and_count():  # type: ignore[no-untyped-def]
        stream = opened()
        return Counting(stream, sent)

    control.open = open_and_count  # type: ignore[method-assign]


class Counting:
    """A stream that notes the size of each response."""

    def __init__(self, stream, sent: list[int]) -> None:  # type: ignore[no-untyped-def]
        self.__dict__.update(_stream=stream, _sent=sent)

    def __getattr__(self, name: str):  # type: ignore[no-untyped-def]
        return getattr(self._stream, name)

    def next_response(self) -> bytes | None:
        body = self._stream.next_response()
        if body is not None:
            self._sent.append(len(body))
        return body


async def started_replay(folder: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "sampan.xds.replay"),
        *("--socket", str(folder / "xds.sock"), "--state", str(folder / "rows")),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_a_proxy_that_starts_without_a_control_plane_serves_its_last_configuration(folder: Path) -> None:
    async def scenario() -> None:
        async with backend("old") as old, backend("new") as new, running(folder) as envoy:
            rows = shop(envoy, "a", old)
            control = Control()
            keeper = store.Keeper(folder / "rows", control, interval=0.01)
            async with asyncio.TaskGroup() as group, serving(control, folder / "xds.sock"):
                task = group.create_task(keeper.run())
                assert await control.settled(SCOPE, control.publish(SCOPE, rows), DEADLINE)
                bad = rows.with_rows([route_row({"/": "a"}, regex="(")])
                assert await control.settled(SCOPE, control.publish(SCOPE, bad), DEADLINE)
                task.cancel()
                await asyncio.wait([task])
            kept = store.read(folder / "rows", SCOPE)
            assert kept is not None
            assert kept.rows == rows.rows  # what was good, not what was refused

            replay = await started_replay(folder)
            try:
                await envoy.kill()
                await envoy.start()
                await envoy.serves(b"old")
                async with asked(envoy.port) as seen:
                    # A control plane takes the path over; the replay sees it and ends; the proxy goes on with the new.
                    following = Control()
                    async with serving(following, folder / "xds.sock") as address:
                        assert await asyncio.wait_for(replay.wait(), DEADLINE) == 0
                        assert address.ours()
                        moved = rows.with_rows([endpoint_row("a", new)])
                        assert await following.settled(SCOPE, following.publish(SCOPE, moved), DEADLINE)
                        await envoy.serves(b"new")
                assert failed(seen) == {}
            finally:
                with contextlib.suppress(ProcessLookupError):
                    replay.kill()
                await replay.wait()

    asyncio.run(scenario())


def test_a_replay_that_took_the_path_gives_it_back_and_leaves_no_socket(folder: Path) -> None:
    async def scenario() -> None:
        control = Control()
        connected: list[Notice] = []
        control.observe(connected.append)
        async with serving(control, folder / "xds.sock") as address:
            (folder / "rows").mkdir()
            replay = await started_replay(folder)
            try:

                async def taken() -> bool:
                    return not address.ours()

                await until(taken, "the replay takes the path")
                await address.take()
                assert await asyncio.wait_for(replay.wait(), DEADLINE) == 0
                assert address.ours()
                async with running(folder):

                    async def heard() -> bool:
                        return any(isinstance(notice.what, Connected) for notice in connected)

                    await until(heard, "a proxy finds the way here")
            finally:
                with contextlib.suppress(ProcessLookupError):
                    replay.kill()
                await replay.wait()
        assert [path.name for path in folder.glob("xds.sock*")] == []

    asyncio.run(scenario())


def test_the_replay_ends_at_a_signal_and_sockets_of_the_killed_are_swept(folder: Path) -> None:
    async def scenario() -> None:
        (folder / "rows").mkdir()
        for number in (signal.SIGKILL, signal.SIGTERM):
            replay = await started_replay(folder)

            async def listening(pid: int = replay.pid) -> bool:
                return (folder / "xds.sock").resolve().name == f"xds.sock.{pid}"

            await until(listening, "the replay listens")
            replay.send_signal(number)
            await asyncio.wait_for(replay.wait(), DEADLINE)
        assert replay.returncode == 0
        assert [path.name for path in folder.glob("xds.sock*")] == []

    asyncio.run(scenario())


def test_requests_go_on_without_any_control_plane(folder: Path) -> None:
    async def scenario() -> None:
        async with backend("x") as port, running(folder) as envoy:
            control = Control()
            async with serving(control, folder / "xds.sock"):
                assert await control.settled(SCOPE, control.publish(SCOPE, shop(envoy, "a", port)), DEADLINE)
                await envoy.serves(b"x")
            assert await request(envoy.port) == (200, b"x")

    asyncio.run(scenario())
