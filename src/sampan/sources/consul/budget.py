"""Who gets a blocking query of its own, where there are more services than connections. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from sampan.sources.consul.convert import Key

MOST = 4096
"""Connections at most, whatever the server takes: each costs a file descriptor and some 50 KiB on both sides."""
LEAST = 4
"""Blocking queries at least: one for the catalogue, two for checks, one for a service."""
_SPARE = 32
_IN_TRANSITION = 5
"""One in so many places is for queries that were given up (see `followers`)."""


def connections(limit: int, descriptors: int, reserved: int) -> int:
    """How many to open, where the server takes `limit` from one address (0: any number) and the process may have
    `descriptors` files open. A part is left to the other programs of this machine that ask the same agent."""
    allowed = MOST if limit <= 0 else limit - min(max(_SPARE, limit // 5), limit // 2)
    return max(min(allowed, MOST, descriptors // 2), reserved + LEAST)


def shared(services: int, room: int, lingering: int) -> tuple[int, int]:
    """(how many services are followed, how many of them may lose their query for others now), where there is `room` for
    so many queries, and `lingering` were given up which the server has still."""
    if services <= room:
        return room, 0
    transition = room // _IN_TRANSITION
    return room - transition, max(0, max(1, transition) - lingering)


def chosen(
    keys: Collection[Key],
    budget: int,
    in_use: Callable[[Key], bool],
    changed: Mapping[Key, int],
    held: Collection[Key],
    swaps: int | None = None,
) -> frozenset[Key]:
    """All if they fit; else those that documents refer to, of these and of the others those that changed last. Among
    equals those that have one keep it, and so do others if more than `swaps` of them would lose it to what only
    changed."""
    if len(keys) <= budget:
        return frozenset(keys)
    order, budget = ranked(keys, in_use, changed, held), max(budget, 0)
    best = frozenset(order[:budget])
    staying = [key for key in order if key in held]
    leaving = [key for key in staying if key not in best]
    wanted = sum(1 for key in best if key not in held and in_use(key))
    most = len(leaving) if swaps is None else max(swaps, len(staying) - budget, wanted)
    if len(leaving) <= most:
        return best
    kept = frozenset(staying).difference(leaving[len(leaving) - most :])
    joining = [key for key in order if key in best and key not in kept]
    return kept.union(joining[: budget - len(kept)])


def ranked(
    keys: Iterable[Key], in_use: Callable[[Key], bool], changed: Mapping[Key, int], held: Collection[Key] = ()
) -> list[Key]:
    """The most important first."""

    def rank(key: Key) -> Any:
        return (not in_use(key), -changed.get(key, 0), key not in held, key)

    return sorted(keys, key=rank)
