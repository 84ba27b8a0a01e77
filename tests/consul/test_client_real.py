"""The client against a real Consul: blocking queries, KV, sessions and locks, as it really answers."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import ExitStack, aclosing
from typing import Any

import pytest

from sampan.consul.client import Away, Client
from sampan.consul.errors import RefusedError
from sampan.consul.kv import (
    Tree,
    kv_delete,
    kv_get,
    kv_put,
    kv_tree,
    kv_watch,
    session_create,
    session_destroy,
    session_renew,
)
from sampan.consul.target import Target
from sampan.consul.wire import LARGEST_VALUE, Answer, path

from ..consul_binary import Agent, consul_agent, running

__all__ = ["consul_agent"]

pytestmark = pytest.mark.consul


def run(main: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await main

    asyncio.run(bounded())


def test_a_watch_sees_each_change(consul_agent: Agent) -> None:
    async def main() -> None:
        query = path("health", "service", "watched")
        async with Client(Target(consul_agent.url)) as client, aclosing(client.watch(query)) as events:
            first = await anext(events)
            assert isinstance(first, Answer)
            assert first.body == []
            assert first.index > 0
            for port in (1001, 1002):
                await client.put(path("agent", "service", "register"), {"Name": "watched", "ID": "w", "Port": port})
                event = await anext(events)
                assert isinstance(event, Answer)
                assert [item["Service"]["Port"] for item in event.body] == [port]
            await client.put(path("agent", "service", "deregister", "w"))
            last = await anext(events)
            assert isinstance(last, Answer)
            assert last.body == []

    run(main())


def test_a_watch_comes_back_with_a_consul_that_began_anew() -> None:
    async def main(stack: ExitStack) -> None:
        with stack:
            agent = stack.enter_context(running())
            async with (
                Client(Target(agent.url)) as client,
                aclosing(client.watch(path("catalog", "services"))) as events,
            ):
                for number in range(100):
                    await kv_put(client, f"push/{number}", b"")
                await client.put(path("agent", "service", "register"), {"Name": "watched", "Port": 1})
                while "watched" not in (first := await anext(events)).body:  # type: ignore[union-attr]
                    pass
                assert isinstance(first, Answer)
                following = asyncio.ensure_future(anext(events))
                while not client.waiting:
                    await asyncio.sleep(0)
                stack.close()
                assert isinstance(await following, Away)
                with running(ports={"http": int(agent.http.rpartition(":")[2])}):
                    while isinstance(event := await anext(events), Away):
                        pass
                    assert "watched" not in event.body
                    # With the index of before, this answer would have come a minute later.
                    assert event.index < first.index

    run(main(ExitStack()))


def test_keys(consul_agent: Agent) -> None:
    async def main() -> None:
        async with Client(Target(consul_agent.url)) as client:
            assert await kv_get(client, "t/absent") is None
            assert await kv_put(client, "t/ä b/%2F", b"\x00\xff", flags=7)
            assert await kv_put(client, "t/empty", b"")
            tree = await kv_tree(client, "t/")
            assert [(entry.key, entry.value, entry.flags) for entry in tree.entries] == [
                ("t/empty", b"", 0),
                ("t/ä b/%2F", b"\x00\xff", 7),
            ]
            found = await kv_get(client, "t/empty")
            assert found is not None
            assert found.modify_index <= tree.index
            assert not await kv_put(client, "t/empty", b"x", cas=0)
            assert not await kv_put(client, "t/empty", b"x", cas=found.modify_index - 1)
            assert await kv_put(client, "t/empty", b"x", cas=found.modify_index)
            assert not await kv_delete(client, "t/empty", cas=found.modify_index)
            assert await kv_delete(client, "t/", recurse=True)
            assert (await kv_tree(client, "t/")).entries == ()

    run(main())


def test_values_up_to_the_limit(consul_agent: Agent) -> None:
    async def main() -> None:
        async with Client(Target(consul_agent.url)) as client:
            assert await kv_put(client, "large", b"x" * LARGEST_VALUE)
            with pytest.raises(RefusedError) as caught:
                await kv_put(client, "large", b"x" * (LARGEST_VALUE + 1))
            assert caught.value.status == 413

    run(main())


def test_a_watch_of_keys(consul_agent: Agent) -> None:
    async def main() -> None:
        async with Client(Target(consul_agent.url)) as client, aclosing(kv_watch(client, "w/")) as events:
            first = await anext(events)
            assert isinstance(first, Tree)
            assert first.entries == ()
            await kv_put(client, "elsewhere", b"1")
            await kv_put(client, "w/a", b"1")
            second = await anext(events)
            assert isinstance(second, Tree)
            assert [(entry.key, entry.value) for entry in second.entries] == [("w/a", b"1")]
            await kv_delete(client, "w/a")
            third = await anext(events)
            assert isinstance(third, Tree)
            assert third.entries == ()

    run(main())


def test_a_lock_has_one_holder(consul_agent: Agent) -> None:
    async def main() -> None:
        async with Client(Target(consul_agent.url)) as client:
            one = await session_create(client, "one", 10, lock_delay=0.001)
            two = await session_create(client, "two", 10, lock_delay=0.001)
            assert await kv_put(client, "lock", b"1", acquire=one)
            assert not await kv_put(client, "lock", b"2", acquire=two)
            held = await kv_get(client, "lock")
            assert held is not None
            assert (held.session, held.value) == (one, b"1")
            assert await session_renew(client, one)
            await session_destroy(client, one)
            await session_destroy(client, one)
            assert not await session_renew(client, one)
            free = await kv_get(client, "lock")
            assert free is not None
            assert free.session == ""
            assert await kv_put(client, "lock", b"2", release=two) is False
            await session_destroy(client, two)

    run(main())
