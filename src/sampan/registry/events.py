"""User events: fired, kept for a while, and listed. On one machine whoever fires is also who receives.

Consul keeps the last 256 that pass their filters, in memory (agent/user_event.go).
"""

from __future__ import annotations

from base64 import b64decode
from collections import deque
from collections.abc import Iterable
from typing import Any, TypedDict
from uuid import UUID, uuid4

import re2

MOST_EVENTS = 256
LARGEST = 416
"""Bytes of name (which Consul sends twice), payload and filters: what its gossip's limit of 512 leaves for them."""
_TOO_LARGE = (
    '1 error occurred:\n\t* error broadcasting event to segment "": '
    "user event exceeds configured limit of 512 bytes before encoding\n\n"
)
VERSION = 1
EVENTS = "events"
"""Topic: one was received."""


class EventError(Exception):
    """Refused; the text is Consul's."""


class Event(TypedDict):
    """`/v1/event/list[]`. `Payload` is base64; None for no bytes."""

    ID: str
    Name: str
    Payload: str | None
    NodeFilter: str
    ServiceFilter: str
    TagFilter: str
    Version: int
    LTime: int


class Events:
    def __init__(self) -> None:
        self._kept: deque[Event] = deque(maxlen=MOST_EVENTS)
        self._time = 1

    def named(self, name: str) -> list[Event]:
        """The oldest first; "" is every name."""
        return [event for event in self._kept if name in ("", event["Name"])]

    def fire(self, event: Event, node: str, services: Iterable[tuple[str, list[str]]]) -> bool:
        """Whether the machine has received it: `node` is its name, `services` what is registered on it, with tags.
        Raises EventError."""
        _validate(event)
        self._time += 1
        if not _matches(event, node, services):
            return False
        self._kept.append({**event, "LTime": self._time})
        return True


def event(name: str, payload: str | None, *, node: str = "", service: str = "", tag: str = "") -> Event:
    return Event(
        ID=str(uuid4()),
        Name=name,
        Payload=payload,
        NodeFilter=node,
        ServiceFilter=service,
        TagFilter=tag,
        Version=VERSION,
        LTime=0,
    )


def index_of(events: list[Event]) -> int:
    """No time but a name: the two halves of the last one's id, one over the other (uuidToUint64). 1 for none."""
    if not events:
        return 1
    number = UUID(events[-1]["ID"]).int
    return (number >> 64) ^ (number & 0xFFFFFFFFFFFFFFFF)


def _validate(event: Event) -> None:
    if event["TagFilter"] and not event["ServiceFilter"]:
        raise EventError("Cannot provide tag filter without service filter")
    for word, pattern in (
        ("node", event["NodeFilter"]),
        ("service", event["ServiceFilter"]),
        ("tag", event["TagFilter"]),
    ):
        try:
            _compiled(pattern)
        except re2.error as error:
            reason = error.args[0] if error.args else b""
            words = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
            raise EventError(f"Invalid {word} filter: error parsing regexp: {words}") from None
    if _size(event) > LARGEST:
        raise EventError(_TOO_LARGE)


def _size(event: Event) -> int:
    filters = [event["NodeFilter"], event["ServiceFilter"], event["TagFilter"]]
    named = sum(len(pattern.encode()) + 4 for pattern in filters if pattern)
    return 2 * len(event["Name"].encode()) + len(b64decode(event["Payload"] or "")) + named


def _compiled(pattern: str) -> Any:
    """RE2, as Go has it: no pattern takes for ever."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


def _matches(event: Event, node: str, services: Iterable[tuple[str, list[str]]]) -> bool:
    if not _compiled(event["NodeFilter"]).search(node):
        return False
    if not event["ServiceFilter"]:
        return True
    name_filter, tag_filter = _compiled(event["ServiceFilter"]), _compiled(event["TagFilter"])
    return any(
        name_filter.search(name) and (not event["TagFilter"] or any(tag_filter.search(tag) for tag in tags))
        for name, tags in services
    )
