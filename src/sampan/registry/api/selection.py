"""What narrows an answer of the catalogue: `?filter=`, `?node-meta=`, `?tag=`, `?near=`.

https://developer.hashicorp.com/consul/api-docs/features/filtering. All that can be wrong with them is found before a
read waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

from sampan.registry import filter as filters
from sampan.registry.api.answer import RefusalError
from sampan.registry.api.question import Question
from sampan.registry.filter.fields import Fields
from sampan.registry.registry import Registry
from sampan.registry.rows import NodeRow, ServiceRow

Entry = TypeVar("Entry", bound=Mapping[str, Any])


class Filter:
    """One `?filter=`, over answers of one kind."""

    def __init__(self, question: Question, of: Fields) -> None:
        """Raises RefusalError with the parser's sentence (500, as 1.8 has it)."""
        self._wanted = _predicate(question.filter, of) if question.filter else None

    def of(self, entries: list[Entry]) -> list[Entry]:
        if self._wanted is None:
            return entries
        return [entry for entry in entries if self._wanted(entry)]

    def of_named(self, entries: Mapping[str, Entry]) -> Mapping[str, Entry]:
        if self._wanted is None:
            return entries
        return {name: entry for name, entry in entries.items() if self._wanted(entry)}


class NodeMeta:
    """`?node-meta=key:value`, all of which a node must have; none given: every node."""

    def __init__(self, question: Question) -> None:
        self._pairs = [tuple(pair.partition(":")[::2]) for pair in question.every("node-meta")]

    def __bool__(self) -> bool:
        return bool(self._pairs)

    def has(self, node: NodeRow | None) -> bool:
        meta = (node["Meta"] if node else None) or {}
        return all(meta.get(name) == value for name, value in self._pairs)


def tags(question: Question) -> frozenset[str]:
    """An instance must have all of them, whatever their case."""
    return frozenset(tag.lower() for tag in question.every("tag"))


def tagged(wanted: frozenset[str], own: Iterable[str]) -> bool:
    return not wanted or wanted <= {tag.lower() for tag in own}


def nearest(registry: Registry, question: Question) -> str:
    """The node, lower-cased, that comes first: `?near=` of our own. Of others we measure no distance."""
    near = question.one("near")
    own = registry.identity.node
    return own.lower() if near == "_agent" or near.lower() == own.lower() else ""


def instances_in_order(found: Iterable[ServiceRow], first: str) -> list[ServiceRow]:
    """By node and id, as Consul's store has them; `first` as `nearest` gives it."""

    def place(row: ServiceRow) -> tuple[bool, str, str]:
        node = row["Node"].lower()
        return node != first, node, row["Service"]["ID"].lower()

    return sorted(found, key=place)


@lru_cache(maxsize=256)
def _predicate_of(expression: str, of: int) -> filters.Predicate:
    return filters.parse(expression, _KINDS[of])


_KINDS: dict[int, Fields] = {
    id(kind): kind
    for kind in (
        filters.fields.NODE,
        filters.fields.SERVICE,
        filters.fields.CATALOG_SERVICE,
        filters.fields.CHECK,
        filters.fields.INSTANCE,
    )
}


def _predicate(expression: str, of: Fields) -> filters.Predicate:
    try:
        return _predicate_of(expression, id(of))
    except filters.FilterError as error:
        raise RefusalError(500, str(error)) from None
