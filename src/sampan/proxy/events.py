"""What happens to processes, as it happens, for whoever subscribed on the control socket."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

Kind = Literal["started", "ready", "exited", "restarting", "draining", "control", "replay", "companion", "stopping"]
Event = dict[str, object]
Subscriber = Callable[[Event], None]


class Events:
    def __init__(self) -> None:
        self._subscribers: set[Subscriber] = set()

    def subscribe(self, subscriber: Subscriber) -> None:
        self._subscribers.add(subscriber)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        self._subscribers.discard(subscriber)

    def emit(self, kind: Kind, **fields: object) -> None:
        """`time` is in seconds since 1970; the other fields belong to the kind (`sampan.proxy.client` lists them)."""
        event: Event = {"event": kind, "time": time.time(), **fields}
        for subscriber in tuple(self._subscribers):
            subscriber(event)
