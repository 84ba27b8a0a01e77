"""Locks: a key that a session holds, and for how long nobody may take it after its session has ended.

https://developer.hashicorp.com/consul/docs/dynamic-app-config/sessions: the lock-delay.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypedDict

from sampan.registry.keys import Keys
from sampan.registry.tables import Table, Write
from sampan.registry.trees import KeyRow

NANOSECOND = 1e-9
LONGEST_DELAY = 60.0
"""Seconds; a longer one that a session asks for is cut to this (MaxLockDelay in Consul)."""
_MANY_DELAYS = 256


class LockError(Exception):
    """The operation makes no sense; the text is Consul's."""


class Delay(TypedDict):
    until: float


class Locks:
    """`exists` says whether there is such a session (raising LockError for what is no session's id)."""

    def __init__(self, keys: Keys, exists: Callable[[str], bool], clock: Callable[[], float]) -> None:
        self.keys = keys
        self.delays: Table[Delay] = Table("lock delays", saved=False)
        self._exists = exists
        self._clock = clock

    def delayed(self, key: str) -> bool:
        """Whether a session that held it ended too short a time ago."""
        delay = self.delays.get(key)
        return delay is not None and delay["until"] > self._clock()

    def lock(self, write: Write, key: str, value: str | None, flags: int, session: str) -> KeyRow | None:
        """None: another session holds it. The lock-delay is not looked at."""
        if not session:
            raise LockError("missing session")
        if not self._exists(session):
            raise LockError(f'invalid session "{session}"')
        before = self.keys.get(key)
        holder = before.get("Session", "") if before else ""
        if holder not in ("", session):
            return None
        times = before["LockIndex"] if before else 0
        return self.keys.put(write, key, value, flags, times if holder else times + 1, session)

    def unlock(self, write: Write, key: str, value: str | None, flags: int, session: str) -> KeyRow | None:
        """None: the session does not hold it."""
        if not session:
            raise LockError("missing session")
        before = self.keys.get(key)
        if before is None or before.get("Session") != session:
            return None
        return self.keys.put(write, key, value, flags, before["LockIndex"], "")

    def end(self, write: Write, session: str, *, delete: bool, lock_delay: int) -> None:
        """The session is gone: what it held is free, or deleted. `lock_delay` in nanoseconds."""
        until = self._clock() + min(lock_delay * NANOSECOND, LONGEST_DELAY)
        held: Collection[KeyRow] = list(self.keys.held_by(session))
        if held and len(self.delays.rows) > _MANY_DELAYS:
            self._forget(write)
        for row in held:
            if delete:
                self.keys.delete(write, row["Key"])
            else:
                self.keys.put(write, row["Key"], row["Value"], row["Flags"], row["LockIndex"], "")
            if lock_delay > 0:
                write.put(self.delays, row["Key"], Delay(until=until))

    def _forget(self, write: Write) -> None:
        now = self._clock()
        for key in [key for key, delay in self.delays.rows.items() if delay["until"] <= now]:
            write.delete(self.delays, key)
