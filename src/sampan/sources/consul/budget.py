"""Who gets a blocking query of its own, where there are more services than connections. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sampan.sources.consul.convert import Key

MOST = 4096
"""Connections at most, whatever the server takes: each costs a file descriptor and some 50 KiB on both sides."""
READS = 4
"""Connections by which services are read before their blocking queries begin."""
LEAST = READS + 1
_SPARE = 32


def connections(limit: int, descriptors: int, others: int) -> int:
    """How many to open for services, beside `others` of ours, where the server takes `limit` from one address (0: any
    number) and the process may have `descriptors` files open. A part is left to the other programs of this machine that
    ask the same agent."""
    allowed = MOST if limit <= 0 else limit - min(max(_SPARE, limit // 5), limit // 2)
    return max(min(allowed, MOST, descriptors // 2) - others, LEAST)


def chosen(
    keys: Collection[Key],
    budget: int,
    in_use: Collection[Key],
    changed: Mapping[Key, int],
    held: Collection[Key],
) -> frozenset[Key]:
    """All if they fit; else those that documents refer to, of these and of the others those that changed last. Among
    equals those that have one keep it."""
    if len(keys) <= budget:
        return frozenset(keys)
    return frozenset(ranked(keys, in_use, changed, held)[: max(budget, 0)])


def ranked(
    keys: Iterable[Key], in_use: Collection[Key], changed: Mapping[Key, int], held: Collection[Key] = ()
) -> list[Key]:
    """The most important first."""

    def rank(key: Key) -> Any:
        return (key not in in_use, -changed.get(key, 0), key not in held, key)

    return sorted(keys, key=rank)
