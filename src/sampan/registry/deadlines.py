"""Deadlines of many things, moved often: a renewal costs a number in a dictionary."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Container


class Deadlines:
    """`moved` is called when there may be an earlier one than before: whoever waits for the next looks again."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.moved: Callable[[], None] = lambda: None
        self._clock = clock
        self._at: dict[str, float] = {}
        # A name is in the heap at its deadline or before: one that has been moved on is put back when it is met.
        self._heap: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._at)

    def put(self, name: str, seconds: float) -> None:
        """From now."""
        at = self._clock() + seconds
        before = self._at.get(name)
        self._at[name] = at
        if before is None or at < before:
            heapq.heappush(self._heap, (at, name))
            self.moved()

    def due(self) -> list[str]:
        """Those that are over; each is told once."""
        now, result = self._clock(), []
        while self._heap and self._heap[0][0] <= now:
            _, name = heapq.heappop(self._heap)
            at = self._at.get(name)
            if at is None:
                continue
            if at > now:
                heapq.heappush(self._heap, (at, name))
            else:
                del self._at[name]
                result.append(name)
        return result

    def left(self) -> float | None:
        """Seconds until it is worth calling `due`. None: nothing to wait for."""
        return max(0.0, self._heap[0][0] - self._clock()) if self._heap else None

    def keep(self, names: Container[str]) -> None:
        """Forgets all others."""
        self._at = {name: at for name, at in self._at.items() if name in names}
        self._heap = [(at, name) for name, at in self._at.items()]
        heapq.heapify(self._heap)
