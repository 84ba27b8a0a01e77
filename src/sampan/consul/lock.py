"""A lock in the KV: of many who want it one holds it, and another one takes over when that one ends.

Who ends in order frees it at once. Of one that dies Consul notices when its session was not renewed for twice its TTL
(https://developer.hashicorp.com/consul/docs/dynamic-app-config/sessions: the TTL is a lower bound). There is no lock
delay: every write that relies on the lock asks for it in the same transaction (`check-session`), so a holder that
does not know yet that it lost the lock can do no harm.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from sampan.consul.client import Client
from sampan.consul.errors import ConsulError, UnreachableError
from sampan.consul.kv import kv_put, session_create, session_destroy, session_renew
from sampan.consul.outage import pause
from sampan.consul.transaction import Operation
from sampan.consul.wire import entries, key_path

TTL = 10.0
"""Seconds; the least that Consul allows."""
RETRY = 1.0
LAST_WORDS = 1.0


class Lock:
    """`value` tells people who holds it. `changed` is called when it was won or lost, and when `problem` (what Consul
    says against it, but not that it is away) became another."""

    def __init__(self, client: Client, key: str, name: str, value: bytes, ttl: float = TTL) -> None:
        self.key = key
        self.session = ""
        self.problem = ""
        self.changed: Callable[[], None] = lambda: None
        self._client, self._name, self._value, self._ttl = client, name, value, ttl

    @property
    def held(self) -> bool:
        """As far as we know."""
        return bool(self.session)

    def check(self) -> Operation:
        """The operation that lets a transaction through only while this lock is ours."""
        return Operation("check-session", self.key, session=self.session)

    def lost(self) -> None:
        """A transaction was refused for `check`: it is not ours any more."""
        self._become("")

    async def run(self) -> None:
        """Wants the lock until cancelled, and frees it then."""
        session, failures = "", 0
        try:
            while True:
                try:
                    if not session or not await session_renew(self._client, session):
                        self._become("", self.problem)
                        session = await session_create(self._client, self._name, self._ttl, lock_delay=0.0)
                    failures = 0
                    await self._compete(session)
                    session = ""
                except ConsulError as error:
                    self._become("", "" if isinstance(error, UnreachableError) else str(error))
                    failures += 1
                    await asyncio.sleep(pause(failures, last=self._ttl / 2))
        finally:
            self._become("")
            if session:
                with contextlib.suppress(ConsulError, TimeoutError):
                    async with asyncio.timeout(LAST_WORDS):
                        await session_destroy(self._client, session)

    async def _compete(self, session: str) -> None:
        """Until the session is over."""
        index = 0
        while True:
            answer = await self._client.get(key_path(self.key), index=index, wait=self._ttl / 3)
            holder = next((entry.session for entry in entries(answer)), "")
            index = answer.index
            if not holder and await kv_put(self._client, self.key, self._value, acquire=session):
                holder = session
            elif not holder:
                # Somebody was faster, or a lock delay that somebody else asked for is not over.
                await asyncio.sleep(RETRY)
                index = 0
            self._become(session if holder == session else "")
            if not await session_renew(self._client, session):
                return

    def _become(self, session: str, problem: str = "") -> None:
        before = (self.session, self.problem)
        self.session, self.problem = session, problem
        if before != (session, problem):
            self.changed()
