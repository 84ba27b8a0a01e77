"""Waiting while Consul is away: one asks again and again, the others wait for it.

A thousand blocking queries over one connection pool lose their connections together. If each came back by itself, the
server would be met by all of them every second of its outage, and by all at once when it is back.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

FIRST = 0.05
LAST = 2.0
LIMITED_FIRST = 1.0
LIMITED_LAST = 30.0

Sleep = Callable[[float], Awaitable[object]]


def pause(attempt: int, first: float = FIRST, last: float = LAST, random: Callable[[], float] = random.random) -> float:
    """Seconds before attempt number `attempt` (from 1): doubled each time up to `last`, the upper half by chance."""
    whole: float = min(last, first * 2.0 ** min(attempt - 1, 30))
    return whole / 2 + whole / 2 * random()


class Outage:
    """Shared by all queries of one client. `sleep` is `asyncio.sleep`, but in tests."""

    def __init__(self, sleep: Sleep = asyncio.sleep) -> None:
        self._sleep = sleep
        self._asking = False
        self._attempt = 0
        self._over = asyncio.Event()

    def note_answer(self) -> None:
        """Something was answered: whoever waits may ask."""
        self._attempt = 0
        self._over.set()

    async def wait(self, refused: int = 0) -> bool:
        """After a failure to reach Consul: returns when this caller should ask again; True if that is because others
        are answered. `refused`: how often that was so in a row, and this caller was not answered all the same: it is
        refused by itself then, most likely for too many connections."""
        while self._asking:
            # The one that asks may be cancelled before it has its answer: nobody waits for it without end.
            with suppress(TimeoutError):
                async with asyncio.timeout(2 * LAST):
                    await self._over.wait()
                await self._sleep(pause(refused, LIMITED_FIRST, LIMITED_LAST) if refused else pause(1))
                return True
        self._asking = True
        self._over.clear()
        try:
            self._attempt += 1
            await self._sleep(pause(max(self._attempt, refused)))
        finally:
            self._asking = False
        return self._attempt == 0
