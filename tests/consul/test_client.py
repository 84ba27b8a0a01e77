"""The client against a server of ours: errors, blocking queries that go wrong, and what no message may show."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from sampan.consul.client import RESERVED, Away, Client
from sampan.consul.errors import GarbageError, RefusedError, UnreachableError
from sampan.consul.target import Target
from sampan.consul.wire import Answer, path

from .fake import Script, answer, serving

TOKEN = "b1gs08f8-secret"
CATALOG = path("catalog", "services")


def run(main: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await main

    asyncio.run(bounded())


class Sleeps:
    """Instead of sleeping: notes for how long."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


def unused_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def test_reads_and_sends_token_and_scope() -> None:
    async def main() -> None:
        script = Script(answer({"web": ["v1"]}, 12))
        async with serving(script) as address:
            target = Target(address, TOKEN, datacenter="dc2", namespace="team", partition="part")
            async with Client(target) as client:
                assert await client.get(CATALOG, {"stale": ""}) == Answer(
                    200, 12, {"web": ["v1"]}, {"X-Consul-Index": "12"}
                )
                assert TOKEN not in repr(client)
        assert script.queries == [{"dc": "dc2", "ns": "team", "partition": "part", "stale": ""}]
        assert script.requests[0].headers["X-Consul-Token"] == TOKEN

    run(main())


def test_over_a_unix_socket(tmp_path: Path) -> None:
    async def main() -> None:
        script = Script(answer([], 1))
        async with serving(script, path=str(tmp_path / "c.sock")) as address, Client(Target(address)) as client:
            assert (await client.get(CATALOG)).body == []
        async with Client(Target(address)) as client:
            with pytest.raises(UnreachableError, match=r"unix:///.*c\.sock"):
                await client.get(CATALOG)

    run(main())


def test_https_where_plain_http_is() -> None:
    async def main() -> None:
        script = Script(answer([], 1))
        async with serving(script) as address, Client(Target(address.replace("http", "https"))) as client:
            with pytest.raises(UnreachableError, match=r"TLS is not agreed on \(.*\): is it plain http:// there\?"):
                await client.get(CATALOG)

    run(main())


def test_nobody_listens() -> None:
    async def main() -> None:
        async with Client(Target(f"http://127.0.0.1:{unused_port()}", TOKEN)) as client:
            with pytest.raises(UnreachableError, match=r"http://127\.0\.0\.1:\d+: .*refused"):
                await client.get(CATALOG)

    run(main())


def test_something_else_listens() -> None:
    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
        await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(other, "127.0.0.1", 0)
        async with server, Client(Target(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")) as client:
            with pytest.raises(UnreachableError, match="HTTP"):
                await client.get(CATALOG)

    run(main())


def test_refusals_say_what_consul_said_without_the_token() -> None:
    async def main() -> None:
        script = Script(
            web.Response(status=403, text=f"Permission denied: token with AccessorID '{TOKEN}' lacks\x1b[31m x"),
            web.Response(status=429, text="Your IP is issuing too many concurrent connections"),
            web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}),
            web.Response(status=404, text="Invalid URL path"),
            web.Response(status=500, text="No cluster leader" + "x" * 100_000),
        )
        async with serving(script) as address, Client(Target(address, TOKEN)) as client:
            errors = []
            for _ in range(5):
                with pytest.raises(RefusedError) as caught:
                    await client.get(CATALOG)
                errors.append(caught.value)
        assert [error.status for error in errors] == [403, 429, 302, 404, 500]
        assert [error.forbidden for error in errors] == [True, False, False, False, False]
        assert [error.limited for error in errors] == [False, True, False, False, False]
        assert str(errors[0]) == (
            "GET /v1/catalog/services: 403 Permission denied: token with AccessorID '(the token)' lacks\\x1b[31m x"
        )
        assert len(str(errors[4])) < 600

    run(main())


@pytest.mark.parametrize("body", ["<html>", "{", "[" * 100_000, "nul"])
def test_garbage_is_named(body: str) -> None:
    async def main() -> None:
        async with serving(Script(web.Response(text=body))) as address, Client(Target(address)) as client:
            with pytest.raises(GarbageError, match="no JSON"):
                await client.get(CATALOG)

    run(main())


def test_a_write_whose_connection_breaks_is_not_sent_twice() -> None:
    async def main() -> None:
        script = Script(answer(True, None), None, answer(True, None))
        async with serving(script) as address, Client(Target(address)) as client:
            await client.put("/v1/kv/a", raw=b"1")
            with pytest.raises(UnreachableError, match="closed before the answer"):
                await client.put("/v1/kv/a", raw=b"2")
        assert len(script.queries) == 2

    run(main())


def test_an_answer_without_a_leader_is_no_news() -> None:
    async def main() -> None:
        leaderless = answer([], 5)
        leaderless.headers["X-Consul-KnownLeader"] = "false"
        script = Script(answer(["a"], 5), leaderless, answer(["a"], 5))
        events = await watched(script, 3, Sleeps())
        assert [event.body if isinstance(event, Answer) else str(event.error) for event in events] == [
            ["a"],
            "the cluster has no leader",
            ["a"],
        ]

    run(main())


def test_a_key_that_is_not_there_is_an_answer() -> None:
    async def main() -> None:
        missing = web.Response(status=404, headers={"X-Consul-Index": "9"})
        async with serving(Script(missing)) as address, Client(Target(address)) as client:
            found = await client.get("/v1/kv/absent")
            assert (found.found, found.index, found.body) == (False, 9, None)

    run(main())


async def watched(script: Script, count: int, sleep: Sleeps) -> list[Answer | Away]:
    """The first events of a watch, up to when all of the script is answered."""
    events: list[Answer | Away] = []
    async with (
        serving(script) as address,
        Client(Target(address), sleep=sleep) as client,
        aclosing(client.watch(CATALOG, wait=60)) as source,
    ):
        async for event in source:
            events.append(event)
            if len(events) == count:
                break
        following = asyncio.ensure_future(anext(source))
        await script.exhausted.wait()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    return events


def test_a_watch_follows_the_index() -> None:
    async def main() -> None:
        script, sleeps = Script(answer(["a"], 5), answer(["b"], 7)), Sleeps()
        events = await watched(script, 2, sleeps)
        assert [event.body for event in events if isinstance(event, Answer)] == [["a"], ["b"]]
        assert script.queries == [{}, {"index": "5", "wait": "1m0s"}, {"index": "7", "wait": "1m0s"}]
        assert sleeps.seconds == []

    run(main())


def test_an_index_that_goes_backwards_starts_over() -> None:
    async def main() -> None:
        script = Script(answer(["a"], 50), answer(["b"], 7), answer(["b"], 7))
        events = await watched(script, 3, Sleeps())
        assert [event.index for event in events if isinstance(event, Answer)] == [50, 7, 7]
        assert [query.get("index") for query in script.queries] == [None, "50", None, "7"]

    run(main())


@pytest.mark.parametrize("index", [0, None])
def test_an_index_below_1_is_1_and_does_not_spin(index: int | None) -> None:
    async def main() -> None:
        script, sleeps = Script(answer(["a"], index), answer(["b"], index), answer(["c"], 3)), Sleeps()
        events = await watched(script, 3, sleeps)
        assert [event.body for event in events if isinstance(event, Answer)] == [["a"], ["b"], ["c"]]
        assert [query.get("index") for query in script.queries] == [None, "1", "1", "3"]
        assert len(sleeps.seconds) == 2

    run(main())


def test_a_server_that_does_not_block_is_asked_slower_and_slower() -> None:
    async def main() -> None:
        script, sleeps = Script(*[answer(["a"], 5) for _ in range(8)]), Sleeps()
        events = await watched(script, 1, sleeps)
        assert len(events) == 1
        assert len(sleeps.seconds) == 7
        assert sleeps.seconds[-1] >= 0.5

    run(main())


def test_a_watch_tells_that_it_is_away_and_back() -> None:
    async def main() -> None:
        script = Script(answer(["a"], 5), None, web.Response(status=500, text="No cluster leader"), answer(["a"], 5))
        events = await watched(script, 4, Sleeps())
        assert [type(event).__name__ for event in events] == ["Answer", "Away", "Away", "Answer"]
        # Nobody knows whether the one that is back has that index.
        assert [query.get("index") for query in script.queries] == [None, "5", None, None, "5"]

    run(main())


def test_rate_limits_are_kept() -> None:
    async def main() -> None:
        limited = web.Response(status=429, text="slow down", headers={"Retry-After": "7"})
        script, sleeps = Script(answer(["a"], 5), limited, answer(["b"], 6)), Sleeps()
        await watched(script, 3, sleeps)
        assert sleeps.seconds == [7.0]
        assert [query.get("index") for query in script.queries] == [None, "5", None, "6"]

    run(main())


def test_writes_pass_by_a_thousand_blocking_queries() -> None:
    async def main() -> None:
        waiting = 0
        full = asyncio.Event()

        async def handler(request: web.BaseRequest) -> web.StreamResponse:
            nonlocal waiting
            if request.method == "PUT":
                return answer(True, None)
            if "index" in request.query:
                waiting += 1
                if waiting == 12:
                    full.set()
                await asyncio.get_running_loop().create_future()
            return answer([], 5)

        async with serving(handler) as address, Client(Target(address), connections=12 + RESERVED) as client:

            async def follow(number: int) -> None:
                async with aclosing(client.watch(path("health", "service", str(number)))) as events:
                    async for _ in events:
                        pass

            tasks = [asyncio.create_task(follow(number)) for number in range(1000)]
            await full.wait()
            assert (await client.put("/v1/kv/a", raw=b"x")).body is True
            assert waiting == client.watches == 12
            full.clear()
            client.allow(20 + RESERVED)
            assert client.watches == 20
            while waiting < 20:
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    run(main())


def test_one_asks_while_consul_is_away_and_all_are_back_at_once() -> None:
    async def main() -> None:
        port, attempts = unused_port(), 0

        class Waits(Sleeps):
            async def __call__(self, seconds: float) -> None:
                nonlocal attempts
                await super().__call__(seconds)
                attempts += 1
                if attempts == 30:
                    ready.set()

        ready = asyncio.Event()
        events: list[Answer | Away] = []
        back = asyncio.Event()

        async with Client(Target(f"http://127.0.0.1:{port}"), sleep=Waits()) as client:

            async def follow(number: int) -> None:
                async with aclosing(client.watch(path("health", "service", str(number)))) as source:
                    async for event in source:
                        events.append(event)
                        if sum(isinstance(item, Answer) for item in events) == 50:
                            back.set()

            tasks = [asyncio.create_task(follow(number)) for number in range(50)]
            await ready.wait()
            # 50 that failed once, and then one that asks for all.
            assert len(events) < 50 + attempts + 5

            async def handler(request: web.BaseRequest) -> web.StreamResponse:
                if "index" in request.query:
                    await asyncio.get_running_loop().create_future()
                return answer([], 5)

            async with serving(handler, port):
                await back.wait()
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    run(main())
