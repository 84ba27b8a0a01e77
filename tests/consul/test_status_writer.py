"""Status written to the KV: by one at a time, what changed, seldom enough, and nothing by who lost the lock."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sampan.consul.client import Client
from sampan.consul.kv import kv_get, kv_put, kv_tree, session_create, session_destroy
from sampan.consul.lock import Lock
from sampan.consul.target import Target
from sampan.daemon.status_writer import StatusWriter

from ..consul_binary import Agent
from .either import agent

__all__ = ["agent"]

LEADER = "sampan/leader"
A, B = "sampan/status/default/service/a", "sampan/status/default/service/b"


class Writer:
    """A control plane as far as status goes. `said` is what it has to say."""

    def __init__(self, client: Client, seconds: float) -> None:
        self.said: dict[str, dict[str, Any]] = {}
        self.gathered = 0
        self.lock = Lock(client, LEADER, "test", b"test")
        self.writer = StatusWriter(client, self.lock, self._gather, seconds)

    def _gather(self) -> Mapping[str, dict[str, Any]]:
        self.gathered += 1
        return dict(self.said)

    def say(self, **said: str) -> None:
        self.said = {{"a": A, "b": B}[name]: {"status": {"word": word}} for name, word in said.items()}
        self.writer.note()


@asynccontextmanager
async def writing(client: Client, seconds: float = 0.01) -> AsyncIterator[Writer]:
    made = Writer(client, seconds)
    tasks = [asyncio.create_task(made.lock.run()), asyncio.create_task(made.writer.run())]
    try:
        yield made
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(15):
        while not await look():
            await asyncio.sleep(0.01)


async def _words(client: Client) -> dict[str, str]:
    tree = await kv_tree(client, "sampan/status/")
    return {entry.key[-1]: json.loads(entry.value)["status"]["word"] for entry in tree.entries}


def _run(agent: Agent, work: Callable[[Client], Awaitable[None]]) -> None:
    async def main() -> None:
        async with Client(Target(agent.url)) as client:
            await client.delete("/v1/kv/sampan/", {"recurse": "true"})
            await work(client)

    asyncio.run(main())


def test_what_changed_is_written_and_what_is_gone_is_removed(agent: Agent) -> None:
    async def work(client: Client) -> None:
        await kv_put(client, "sampan/status/default/service/c", b'{"status": {"word": "of one that is gone"}}')
        async with writing(client) as one:
            one.say(a="1", b="1")
            await until(lambda: _has(client, {"a": "1", "b": "1"}))
            before = await kv_get(client, A)
            one.say(a="1", b="2")
            await until(lambda: _has(client, {"a": "1", "b": "2"}))
            after = await kv_get(client, A)
            assert before is not None
            assert before == after, "it was written again"
            one.say(b="2")
            await until(lambda: _has(client, {"b": "2"}))

    _run(agent, work)


async def _has(client: Client, words: dict[str, str]) -> bool:
    return await _words(client) == words


def test_many_changes_are_one_write(agent: Agent) -> None:
    async def work(client: Client) -> None:
        async with writing(client, seconds=0.5) as one:
            one.say(a="0")
            await until(lambda: _has(client, {"a": "0"}))
            before, began = one.gathered, asyncio.get_running_loop().time()
            number = 0
            while asyncio.get_running_loop().time() - began < 1.1:
                number += 1
                one.say(a=str(number))
                await asyncio.sleep(0)
            last = str(number)
            await until(lambda: _has(client, {"a": last}))
            assert number > 100
            assert one.gathered - before <= 5

    _run(agent, work)


def test_who_takes_over_writes_only_what_differs(agent: Agent) -> None:
    async def work(client: Client) -> None:
        async with writing(client) as one:
            one.say(a="1", b="1")
            await until(lambda: _has(client, {"a": "1", "b": "1"}))
        before = await kv_get(client, A)
        async with writing(client) as two:
            two.say(a="1", b="2")
            await until(lambda: _has(client, {"a": "1", "b": "2"}))
        assert before is not None
        assert await kv_get(client, A) == before

    _run(agent, work)


def test_who_lost_the_lock_writes_nothing(agent: Agent) -> None:
    async def work(client: Client) -> None:
        async with writing(client) as one:
            one.say(a="1")
            await until(lambda: _has(client, {"a": "1"}))
            # Another one has it before this one can notice: both in one step of the loop of this test.
            session, thief = one.lock.session, await session_create(client, "thief", 10.0, lock_delay=0.0)
            await session_destroy(client, session)
            assert await kv_put(client, LEADER, b"thief", acquire=thief)
            one.lock.session = session
            one.say(a="2")

            async def noticed() -> bool:
                return not one.lock.held

            await until(noticed)
            assert await _words(client) == {"a": "1"}
            await session_destroy(client, thief)
            await until(lambda: _has(client, {"a": "2"}))

    _run(agent, work)
