"""TTLs: a check is critical once nobody has reported on it for so long."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from sampan.registry.checking.clock import Clock, Timer
from sampan.registry.checking.outcome import Outcome, critical
from sampan.registry.store import StoreError

Found = Callable[[str, Outcome], None]
"""(check id, what it is now). Raises StoreError."""

_AGAIN_SECONDS = 5.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Wait:
    """`last`: what the last report said; not kept over a restart, as in Consul."""

    seconds: float
    due: float
    timer: Timer | None = None
    last: str = ""


class Expiries:
    """One timer for each check: it is not set anew at every report, but looks when that was."""

    def __init__(self, clock: Clock, found: Found) -> None:
        self._clock = clock
        self._found = found
        self._waits: dict[str, _Wait] = {}

    def begin(self, check_id: str, seconds: float) -> None:
        wait = self._waits[check_id] = _Wait(seconds, self._clock.now() + seconds)
        self._look_later(check_id, wait)

    def end(self, check_id: str) -> None:
        wait = self._waits.pop(check_id, None)
        if wait is not None and wait.timer is not None:
            wait.timer.cancel()

    def renew(self, check_id: str, last: str | None = None) -> None:
        """A sign of life; `last`: with what it said."""
        wait = self._waits.get(check_id)
        if wait is None:
            return  # it has become another kind of check meanwhile
        wait.due = self._clock.now() + wait.seconds
        if last is not None:
            wait.last = last
        if wait.timer is None:
            self._look_later(check_id, wait)

    def _look_later(self, check_id: str, wait: _Wait) -> None:
        def look() -> None:
            wait.timer = None
            if self._clock.now() < wait.due:
                self._look_later(check_id, wait)
            else:
                self._expired(check_id, wait)

        wait.timer = self._clock.call_at(wait.due, look)

    def _expired(self, check_id: str, wait: _Wait) -> None:
        words = "TTL expired" + (f" (last output before timeout follows): {wait.last}" if wait.last else "")
        try:
            self._found(check_id, critical(words))
        except StoreError as error:
            log.error("the TTL of check %s has expired, which cannot be kept: %s", check_id, error)
            wait.due = self._clock.now() + _AGAIN_SECONDS
            self._look_later(check_id, wait)
