"""The control socket: what it says, and what it does with nonsense."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path

import pytest
from proxy_harness import Supervised, bootstrap, eventually, free_port, http_listener, upstream

from sampan.proxy import client, paths

pytestmark = pytest.mark.envoy

NONSENSE = [
    b"nonsense",
    b"[]",
    b"{}",
    b'{"op": ["list"]}',
    b'{"op": "fly"}',
    b'{"op": "heartbeat"}',
    b'{"op": "apply"}',
    b'{"op": "apply", "proxies": {"shop": 1}}',
    b'{"op": "apply", "proxies": {"shop": {"bootstrap": "/nowhere", "version": "1"}}}',
    b'{"op": "apply", "proxies": {"../../etc": {"bootstrap": 1, "version": "1"}}}',
    b"[" * 100_000,
    b"\xff\xfe\x00",
]


def test_nonsense_gets_a_sentence_and_the_connection_goes_on(folder: Path) -> None:
    async def scenario() -> None:
        async with Supervised(folder) as supervised:
            await eventually(supervised.facts)
            reader, writer = await asyncio.open_unix_connection(paths.supervisor_socket(supervised.runtime))
            for line in NONSENSE:
                writer.write(line + b"\n")
                answer = json.loads(await reader.readline())
                assert list(answer) == ["error"], line[:80]
                assert answer["error"]
            writer.write(b'{"op": "list"}\n')
            assert json.loads(await reader.readline()) == {"proxies": []}
            writer.write(b"x" * (5 << 20) + b"\n")
            assert "bytes" in json.loads(await reader.readline())["error"]
            writer.close()
            assert await supervised.stop() == 0

    asyncio.run(scenario())


def test_only_its_user_can_open_it(folder: Path) -> None:
    async def scenario() -> None:
        async with Supervised(folder) as supervised:
            await eventually(supervised.facts)
            assert stat.S_IMODE(supervised.runtime.stat().st_mode) == 0o700
            assert stat.S_IMODE(paths.supervisor_socket(supervised.runtime).stat().st_mode) == 0o600

    asyncio.run(scenario())


def test_events_tell_the_story_and_down_ends_it(folder: Path) -> None:
    async def scenario() -> None:
        port = free_port()
        async with upstream() as behind, Supervised(folder) as supervised:
            await eventually(supervised.facts)
            socket = paths.supervisor_socket(supervised.runtime)
            async with client.events(socket) as stream:
                supervised.want(shop=bootstrap([http_listener(port)], behind.port))
                envoy = await supervised.serving("shop")
                async with client.Supervisor(socket) as supervisor:
                    await supervisor.down()
                async with asyncio.timeout(10):
                    seen = [event async for event in stream]
            ours = [(event.kind, event.fields["pid"]) for event in seen if event.fields.get("proxy") == "shop"]
            assert ours == [(kind, envoy.pid) for kind in ("started", "ready", "draining", "exited")]
            last = next(event for event in seen if event.kind == "exited")
            assert (last.fields["how"], last.fields["planned"]) == ("status 0", True)
            assert await supervised.process.wait() == 0

    asyncio.run(scenario())


def test_a_runtime_directory_that_is_too_deep_is_refused_with_a_sentence(folder: Path) -> None:
    async def scenario() -> None:
        supervised = Supervised(folder)
        supervised.runtime = folder / ("deep" * 30)
        async with supervised:
            assert await supervised.process.wait() == 1
            assert "choose a shorter one with --runtime" in supervised.text()

    asyncio.run(scenario())
