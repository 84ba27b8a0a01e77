"""What goes out of the source: all changes of one turn of the event loop together, and a while later to the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

from sampan.sources.consul.codec import encode
from sampan.sources.consul.convert import Key, Registered
from sampan.sources.source import Emit, Records, SourceHealth

SAVE_AFTER = 1.0

Save = Callable[[Mapping[str, bytes | None]], None]
"""Takes what to keep for the next start, by key; None: not needed any more. Returns at once."""


class Outlet:
    """Nothing goes out before `begin`."""

    def __init__(self, source: str, emit: Emit, save: Save) -> None:
        self._source, self._emit, self._save = source, emit, save
        self._loop = asyncio.get_running_loop()
        self._began = False
        self._waiting: dict[Key, Registered | None] = {}
        self._unsaved: dict[Key, Registered | None] = {}
        self._turn: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.health = SourceHealth()

    @property
    def began(self) -> bool:
        return self._began

    def begin(self, items: Iterable[Registered]) -> None:
        """Emits everything that there is, as a whole."""
        self._began = True
        self._waiting.clear()
        changed = {item.key.text: item.loaded() for item in items}
        self._emit(Records(self._source, changed, whole=True, health=self.health))

    def put(self, key: Key, item: Registered | None) -> None:
        """A service as it is now; None: it is gone."""
        self._waiting[key] = self._unsaved[key] = item
        self._schedule()
        if self._timer is None:
            self._timer = self._loop.call_later(SAVE_AFTER, self.save)

    def tell(self, health: SourceHealth) -> None:
        """How the source is."""
        if health != self.health:
            self.health = health
            self._schedule()

    def save(self) -> None:
        """What was not saved yet."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        unsaved, self._unsaved = self._unsaved, {}
        if unsaved:
            self._save({key.text: None if item is None else encode(item) for key, item in unsaved.items()})

    def close(self) -> None:
        if self._turn is not None:
            self._turn.cancel()
        self.save()

    def _schedule(self) -> None:
        if self._began and self._turn is None:
            self._turn = self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._turn = None
        waiting, self._waiting = self._waiting, {}
        changed = {key.text: item.loaded() for key, item in waiting.items() if item is not None}
        removed = frozenset(key.text for key, item in waiting.items() if item is None)
        self._emit(Records(self._source, changed, removed, health=self.health))
