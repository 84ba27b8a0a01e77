"""A source fed by hand: for tests, measurements and programs that bring their own documents."""

from __future__ import annotations

import asyncio

from sampan.documents.kinds.kind_set import KindSet
from sampan.documents.load import Loaded, load
from sampan.sources.source import Emit, Records


class Memory:
    """`put` and `remove` take effect at once if the source runs, and with the first records otherwise."""

    def __init__(self, kinds: KindSet, name: str = "memory") -> None:
        self.name = name
        self._kinds = kinds
        self._held: dict[str, Loaded] = {}
        self._emit: Emit | None = None

    def put(self, key: str, text: str) -> None:
        """Sets what is under a key: YAML text of one document or more."""
        before = self._held.get(key)
        self.say(key, load(text, key, self._kinds, self.name, before.memo if before else None))

    def say(self, key: str, loaded: Loaded) -> None:
        """Sets what is under a key to objects that are there already, Instances for example."""
        self._held[key] = loaded
        if self._emit:
            self._emit(Records(self.name, {key: loaded}))

    def remove(self, key: str) -> None:
        """Removes a key; nothing happens if it is not there."""
        if self._held.pop(key, None) is not None and self._emit:
            self._emit(Records(self.name, removed=frozenset({key})))

    async def run(self, emit: Emit) -> None:
        self._emit = emit
        try:
            emit(Records(self.name, dict(self._held), whole=True))
            await asyncio.get_running_loop().create_future()
        finally:
            self._emit = None
