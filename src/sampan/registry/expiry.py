"""Ends sessions when their time is over: the event loop's timer around the rules of `sessions`."""

from __future__ import annotations

import asyncio

from sampan.registry.sessions import Sessions
from sampan.registry.store import StoreError
from sampan.registry.tables import Tables


class Expiry:
    """One timer, for the next deadline."""

    def __init__(self, tables: Tables, sessions: Sessions) -> None:
        self._tables = tables
        self._sessions = sessions
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._sessions.deadlines.moved = self._arm
        self._arm()

    def stop(self) -> None:
        self._sessions.deadlines.moved = lambda: None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        left = self._sessions.deadlines.left()
        if left is None:
            return
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            if self._timer.when() <= loop.time() + left:
                return  # it looks again then
            self._timer.cancel()
        self._timer = loop.call_later(left, self._end)

    def _end(self) -> None:
        self._timer = None
        over = self._sessions.expired()
        try:
            if over:
                with self._tables.write() as write:
                    for session in over:
                        self._sessions.destroy(write, session)
        except StoreError:
            pass  # the disk is full: `expired` tells of them again in a moment, and writes by clients say why
        finally:
            self._arm()
