"""The order of the HTTP filters, each slot with its reason.

A filter is in a connection's chain only if some route of it asks, and is disabled there for every route that does not:
Envoy leaves a disabled filter out when it builds the chain of a request, so it costs nothing where nobody asked for it
(docs: "HTTP filter chain", `HttpFilter.disabled`). A new slot is a change of the engine: a commit of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise
from typing import Any

from sampan.envoy import protos


class Slot(IntEnum):
    """Requests pass from the lowest to the highest, responses the other way."""

    OBSERVE = 10
    """Counts and marks: before anything may answer, so that what is answered early is seen too."""
    CORS = 20
    """Preflights carry no credentials, so they must be answered before anyone asks for them."""
    ADMIT = 30
    """By what is known of the connection (addresses, client certificates): cheap, and spares the rest their work."""
    AUTHENTICATE = 40
    """Who is it?"""
    AUTHORIZE = 50
    """May they? Needs the answer to who they are."""
    LIMIT = 60
    """How often? May count by identity; what was refused above must not use up anybody's quota."""
    FAULT = 70
    """Faults injected on purpose hit only what would have been served."""
    TRANSFORM = 80
    """Changes to headers and bodies, plugins: they see only what is allowed."""
    COMPRESS = 90
    """Of a response before any transformation could see it, hence after TRANSFORM on the way back."""
    SESSION = 100
    """Picks the endpoint: last, after everything that may change the route."""
    ROUTE = 1000
    """The router, which must be the last."""


@dataclass(frozen=True, slots=True)
class HttpFilter:
    """A filter in the chain. `name` is also the key of its settings per route; `type_url` and `value` are its own
    configuration, packed (`filter_of`). A constant of the policy's module, or made of a policy's value."""

    slot: Slot
    name: str
    type_url: str
    value: bytes = field(repr=False)


def filter_of(slot: Slot, name: str, message: Any) -> HttpFilter:
    """An HttpFilter with a message as its configuration."""
    packed = protos.packed(message)
    return HttpFilter(slot, name, packed.type_url, packed.value)


def in_order(filters: Iterable[HttpFilter]) -> tuple[HttpFilter, ...]:
    """Sorted by slot, then name, each once. ValueError if two filters of one name have different configurations: the
    policies would disagree on what is one thing in Envoy."""
    unique = sorted(set(filters), key=lambda item: (item.slot, item.name, item.value))
    for first, second in pairwise(unique):
        if first.name == second.name:
            raise ValueError(f"two configurations of the filter {first.name} on one connection")
    return tuple(unique)
