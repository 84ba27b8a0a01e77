"""Structural sharing: what came out equal stays the same object, so that later stages see by identity what changed."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from operator import attrgetter
from types import MappingProxyType
from typing import Any

from sampan.model.meta import Object

_ATOMS = frozenset({str, int, bytes, bool, float, type(None), frozenset, Object})


def keep(old: Any, new: Any) -> Any:
    """`new`, with every part that equals its counterpart in `old` replaced by that counterpart; `old` if all are equal.

    Looks into dataclasses, tuples and mappings; anything else is compared by `==`. Never changes its arguments.
    """
    if old is new or type(old) is not type(new):
        return new
    kind = type(new)
    if kind in _ATOMS:
        return old if old == new else new
    if kind is tuple:
        return _kept_tuple(old, new)
    if is_dataclass(new):
        return _kept_dataclass(old, new)
    if kind is dict or kind is MappingProxyType:
        return _kept_mapping(old, new)
    return old if old == new else new


def _kept_tuple(old: tuple[Any, ...], new: tuple[Any, ...]) -> tuple[Any, ...]:
    kept = [keep(before, after) for before, after in zip(old, new, strict=False)]
    if len(old) == len(new) and all(map(_same, kept, old)):
        return old
    if all(map(_same, kept, new)):
        return new
    return (*kept, *new[len(kept) :])


def _same(left: Any, right: Any) -> bool:
    return left is right


def _kept_dataclass(old: Any, new: Any) -> Any:
    values = field_values(type(new))
    before, after = values(old), values(new)
    kept = _kept_tuple(before, after)
    if kept is before:
        return old
    if kept is after:
        return new
    return type(new)(*kept)


def field_values(kind: Any) -> Any:
    """Reads all fields, in the order of the constructor, as a tuple."""
    return _field_values(kind)


@lru_cache(maxsize=256)
def _field_values(kind: Hashable) -> Any:
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    if len(names) == 1:
        return lambda item: (getattr(item, names[0]),)
    return attrgetter(*names) if names else (lambda _: ())


def _kept_mapping(old: Mapping[Any, Any], new: Mapping[Any, Any]) -> Mapping[Any, Any]:
    kept = {key: keep(old[key], value) if key in old else value for key, value in new.items()}
    if len(old) == len(new) and all(key in old and old[key] is value for key, value in kept.items()):
        return old
    if all(new[key] is value for key, value in kept.items()):
        return new
    return MappingProxyType(kept) if type(new) is MappingProxyType else kept
