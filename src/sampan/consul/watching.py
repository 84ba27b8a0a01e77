"""A blocking query asked again and again: what is now, and then each change, through outages.

As Consul documents blocking queries: an index that goes backwards starts over at 0, one below 1 counts as 1, and errors
are answered with patience.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

from sampan.consul.errors import ConsulError, RefusedError, UnreachableError
from sampan.consul.outage import LIMITED_FIRST, LIMITED_LAST, Outage, Sleep, pause
from sampan.consul.wire import Answer


@dataclass(frozen=True, slots=True)
class Away:
    """A watch has no answer at the moment, and goes on trying. The next `Answer` says that it is back."""

    error: ConsulError


class Patience:
    """How long to wait after what; of one watch."""

    def __init__(self, outage: Outage, sleep: Sleep) -> None:
        self.sleep = sleep
        self._outage = outage
        self._refused = 0

    async def after(self, error: ConsulError, failures: int) -> None:
        if isinstance(error, UnreachableError):
            if failures == 1:
                self._refused = 0
            if await self._outage.wait(self._refused):
                self._refused += 1
        elif isinstance(error, RefusedError) and error.limited:
            await self.sleep(max(error.retry_after, pause(failures, LIMITED_FIRST, LIMITED_LAST)))
        elif isinstance(error, RefusedError) and error.forbidden:
            await self.sleep(pause(failures, LIMITED_FIRST, LIMITED_LAST))
        else:
            await self.sleep(pause(failures))


async def watch(
    get: Callable[[int], Awaitable[Answer]], patience: Patience, wait: float, index: int = 0
) -> AsyncGenerator[Answer | Away, None]:
    """`get` asks with an index, and blocks up to `wait` seconds if that is above 0. An answer without news (the wait
    was over) is not told, unless the watch was away."""
    failures, away = 0, False
    clock = asyncio.get_running_loop().time
    while True:
        asked, began = index, clock()
        try:
            answer = await get(asked)
        except ConsulError as error:
            failures, away = failures + 1, True
            yield Away(error)
            await patience.after(error, failures)
            # Who comes back from an outage may be another: with an index above its own we would wait for nothing. And
            # whoever waits for news is to hear at once that all is well again.
            index = 0
            continue
        spent = clock() - began
        # An index that goes backwards: the server began anew, and all of it is to be read.
        index = 0 if 0 < answer.index < asked else max(answer.index, 1)
        if away or not asked or answer.index != asked:
            away = False
            yield answer
        if answer.index > asked or spent >= wait / 2:
            failures = 0
        else:
            # It does not block, or one of two servers with indexes of their own answers in turn: without a pause this
            # would spin.
            failures += 1
            await patience.sleep(pause(failures, last=1.0))
