"""The KV store and sessions, thinly over the client. Pass `client.put`'s errors on: RefusedError, UnreachableError."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

from sampan.consul.client import Away, Client
from sampan.consul.durations import format_duration
from sampan.consul.errors import GarbageError, RefusedError
from sampan.consul.wire import Answer, Decoder, Entry, entries, key_path, path

RECURSE = {"recurse": "true"}


@dataclass(frozen=True, slots=True)
class Tree:
    """All keys below a prefix, at an index."""

    entries: tuple[Entry, ...]
    index: int


async def kv_get(client: Client, key: str) -> Entry | None:
    """One key, None if it is not there. Consistent: an answer of the leader."""
    found = entries(await client.get(key_path(key)))
    return found[0] if found else None


async def kv_tree(client: Client, prefix: str) -> Tree:
    """All keys that begin with `prefix`."""
    answer = await client.get(key_path(prefix), RECURSE)
    return Tree(entries(answer), answer.index)


async def kv_watch(client: Client, prefix: str) -> AsyncGenerator[Tree | Away, None]:
    """All keys that begin with `prefix`, now and after each change of any of them."""
    decoder = Decoder()
    async with aclosing(client.watch(key_path(prefix), RECURSE)) as events:
        async for event in events:
            if isinstance(event, Away):
                yield event
                continue
            try:
                yield Tree(decoder.entries(event), event.index)
            except GarbageError as error:
                yield Away(error)


async def kv_put(
    client: Client,
    key: str,
    value: bytes,
    *,
    cas: int | None = None,
    acquire: str = "",
    release: str = "",
    flags: int = 0,
) -> bool:
    """Whether it was written. `cas`: only if the key's modify index is still that one, 0: only if it is not there.
    `acquire`, `release`: with the lock of that session."""
    query = {"cas": "" if cas is None else str(cas), "acquire": acquire, "release": release}
    query["flags"] = str(flags) if flags else ""
    return _boolean(await client.put(key_path(key), query=_given(query), raw=value))


async def kv_delete(client: Client, key: str, *, cas: int | None = None, recurse: bool = False) -> bool:
    """Whether it is gone. False only where `cas` is not the key's modify index any more."""
    query = {"cas": "" if cas is None else str(cas), "recurse": "true" if recurse else ""}
    return _boolean(await client.delete(key_path(key), _given(query)))


async def session_create(
    client: Client,
    name: str,
    ttl: float,
    lock_delay: float = 15.0,
    behavior: Literal["release", "delete"] = "release",
) -> str:
    """A session's id. It ends when it is not renewed for `ttl` seconds (10 to 86400), or its node fails."""
    body = {"Name": name, "TTL": format_duration(ttl), "LockDelay": format_duration(lock_delay), "Behavior": behavior}
    answer = await client.put(path("session", "create"), body)
    try:
        return str(uuid.UUID(answer.body["ID"]))
    except (TypeError, KeyError, ValueError, AttributeError):
        raise GarbageError("the session that was made has no id") from None


async def session_renew(client: Client, session: str) -> bool:
    """False if it is over: whoever held its locks holds them no more."""
    try:
        await client.put(path("session", "renew", session))
    except RefusedError as error:
        if error.status == 404:
            return False
        raise
    return True


async def session_destroy(client: Client, session: str) -> None:
    """Ends it and frees its locks; nothing happens if it is over."""
    await client.put(path("session", "destroy", session))


def _given(query: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in query.items() if value}


def _boolean(answer: Answer) -> bool:
    if not isinstance(answer.body, bool):
        raise GarbageError("the KV store answered neither true nor false")
    return answer.body
