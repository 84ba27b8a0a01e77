"""Transactions and the lock, against a real Consul and the embedded registry."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sampan.consul.client import Client
from sampan.consul.errors import RefusedError
from sampan.consul.kv import kv_get, kv_put, kv_tree
from sampan.consul.lock import Lock
from sampan.consul.target import Target
from sampan.consul.transaction import MOST_OPERATIONS, Operation, batches, transact

from ..consul_binary import Agent, running
from .either import agent

__all__ = ["agent"]

READER = "5f2b1a52-0d2c-4c0e-9c1c-6f5c1f6f2a11"


def _with_client(agent: Agent, work: Callable[[Client], Awaitable[None]], token: str = "") -> None:
    async def main() -> None:
        async with Client(Target(agent.url, token=token)) as client:
            await work(client)

    asyncio.run(main())


def test_a_transaction_is_done_whole_or_not_at_all(agent: Agent) -> None:
    async def work(client: Client) -> None:
        assert await transact(client, [Operation("cas", "t/a", b"1"), Operation("cas", "t/b", b"1")]) == ()
        (refused,) = await transact(client, [Operation("set", "t/a", b"2"), Operation("cas", "t/b", b"2", index=1)])
        assert (refused.operation, refused.is_stale) == (1, True)
        entry = await kv_get(client, "t/a")
        assert entry is not None
        assert entry.value == b"1"
        assert await transact(client, [Operation("delete-cas", "t/a", index=entry.modify_index)]) == ()
        assert [item.key for item in (await kv_tree(client, "t/")).entries] == ["t/b"]

    _with_client(agent, work)


def test_what_consul_takes_in_one_transaction(agent: Agent) -> None:
    async def work(client: Client) -> None:
        many = [Operation("set", f"many/{number}", b"x" * 4096) for number in range(200)]
        parts = list(batches(many))
        assert [operation for part in parts for operation in part] == many
        assert max(map(len, parts)) == MOST_OPERATIONS
        large = [Operation("set", f"large/{number}", b"x" * 180_000) for number in range(5)]
        assert [len(part) for part in batches(large)] == [2, 2, 1]
        for part in (*parts, *batches(large)):
            assert await transact(client, part) == ()
        with pytest.raises(RefusedError, match="too many operations"):
            await transact(client, [Operation("set", f"many/{number}") for number in range(MOST_OPERATIONS + 1)])

    _with_client(agent, work)


@pytest.mark.consul
def test_what_a_token_may_not_write_is_no_conflict() -> None:
    with running(acl={"enabled": True, "default_policy": "allow", "tokens": {"master": "root"}}) as agent:

        async def prepare(client: Client) -> None:
            rules = 'key_prefix "" { policy = "read" }'
            await client.put("/v1/acl/policy", {"Name": "reader", "Rules": rules})
            await client.put("/v1/acl/token", {"SecretID": READER, "Policies": [{"Name": "reader"}]})

        async def work(client: Client) -> None:
            with pytest.raises(RefusedError, match="Permission denied") as told:
                await transact(client, [Operation("set", "sampan/documents/a")])
            assert told.value.forbidden

        _with_client(agent, prepare, token="root")
        _with_client(agent, work, token=READER)


class Holder:
    """A lock in a task of its own."""

    def __init__(self, client: Client, key: str, name: str) -> None:
        self.lock = Lock(client, key, name, name.encode())
        self.event = asyncio.Event()
        self.lock.changed = self.event.set
        self.task = asyncio.create_task(self.lock.run())

    async def until(self, held: bool, seconds: float = 10.0) -> None:
        async with asyncio.timeout(seconds):
            while self.lock.held != held:
                self.event.clear()
                await self.event.wait()

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def test_one_holds_it_and_the_other_takes_over_at_once_when_that_one_ends(agent: Agent) -> None:
    async def work(client: Client) -> None:
        one = Holder(client, "lock/a", "one")
        await one.until(held=True)
        two = Holder(client, "lock/a", "two")
        entry = await kv_get(client, "lock/a")
        assert entry is not None
        assert (entry.value, entry.session) == (b"one", one.lock.session)
        check = one.lock.check()
        assert await transact(client, [check, Operation("set", "written", b"by one")]) == ()
        assert not two.lock.held
        await one.end()
        await two.until(held=True, seconds=3.0)
        assert await transact(client, [check, Operation("set", "written", b"late")]), "it was not refused"
        found = await kv_get(client, "written")
        assert found is not None
        assert found.value == b"by one"
        await two.end()

    _with_client(agent, work)


def test_a_session_that_was_ended_by_others_is_replaced(agent: Agent) -> None:
    async def work(client: Client) -> None:
        one = Holder(client, "lock/b", "one")
        await one.until(held=True)
        before = one.lock.session
        await client.put(f"/v1/session/destroy/{before}")
        async with asyncio.timeout(10):
            while one.lock.session in ("", before):
                one.event.clear()
                await one.event.wait()
        await one.end()

    _with_client(agent, work)


def test_who_dies_is_followed_within_twice_the_sessions_time(agent: Agent) -> None:
    async def work(client: Client) -> None:
        made = await client.put("/v1/session/create", {"Name": "dead", "TTL": "10s", "LockDelay": "0s"})
        assert await kv_put(client, "lock/c", b"dead", acquire=made.body["ID"])
        heir = Holder(client, "lock/c", "heir")
        await heir.until(held=True, seconds=25.0)
        await heir.end()

    _with_client(agent, work)
