"""When the next request is due. The clock alone decides: an answer that is late delays nothing (open loop)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

TICK = 0.001
"""Seconds between looks at the clock; requests that became due in between leave together."""


async def paced(rate: float, send: Callable[[float], None], stop: asyncio.Event, now: Callable[[], float]) -> None:
    """Calls `send(due)` `rate` times a second, evenly, until `stop` is set."""
    start = now()
    number = 0
    while not stop.is_set():
        moment = now()
        while (due := start + number / rate) <= moment:
            send(due)
            number += 1
        await asyncio.sleep(max(TICK, due - moment))
