"""Structural sharing: what came out equal stays the same object, so that later stages see by identity what changed."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from operator import attrgetter, is_
from types import MappingProxyType
from typing import Any

from sampan.model.meta import Object

_Seen = dict[tuple[int, int], Any]

_ATOMS = frozenset({str, int, bytes, bool, float, type(None), frozenset, Object})


def keep(old: Any, new: Any) -> Any:
    """`new`, with every part that equals its counterpart in `old` replaced by that counterpart; `old` if all are equal.

    Looks into dataclasses, tuples (by place) and mappings (by key); anything else is compared by `==`. What was one
    object in several places stays one. Never changes its arguments.
    """
    return _keep(old, new, {})


def _keep(old: Any, new: Any, seen: _Seen) -> Any:
    if old is new or type(old) is not type(new):
        return new
    kind = type(new)
    if kind in _ATOMS:
        return old if old == new else new
    place = (id(old), id(new))
    found = seen.get(place)
    if found is not None:
        return found
    if kind is tuple:
        kept: Any = _kept_tuple(old, new, seen)
    elif is_dataclass(new):
        kept = _kept_dataclass(old, new, seen)
    elif kind is dict or kind is MappingProxyType:
        kept = _kept_mapping(old, new, seen)
    else:
        return old if old == new else new
    seen[place] = kept
    return kept


def _kept_tuple(old: tuple[Any, ...], new: tuple[Any, ...], seen: _Seen) -> tuple[Any, ...]:
    kept = [_keep(before, after, seen) for before, after in zip(old, new, strict=False)]
    if len(old) == len(new) and all(map(is_, kept, old)):
        return old
    if all(map(is_, kept, new)):
        return new
    return (*kept, *new[len(kept) :])


def _kept_dataclass(old: Any, new: Any, seen: _Seen) -> Any:
    values = field_values(type(new))
    # These two tuples live for this call only, so they have no place in `seen`, which goes by id.
    before, after = values(old), values(new)
    kept = _kept_tuple(before, after, seen)
    if kept is before:
        return old
    if kept is after:
        return new
    return type(new)(*kept)


def _kept_mapping(old: Mapping[Any, Any], new: Mapping[Any, Any], seen: _Seen) -> Mapping[Any, Any]:
    kept = {key: _keep(old[key], value, seen) if key in old else value for key, value in new.items()}
    if len(old) == len(new) and all(key in old and old[key] is value for key, value in kept.items()):
        return old
    if all(new[key] is value for key, value in kept.items()):
        return new
    return MappingProxyType(kept) if type(new) is MappingProxyType else kept


def field_values(kind: Any) -> Any:
    """Reads all fields, in the order of the constructor, as a tuple."""
    return _field_values(kind)


@lru_cache(maxsize=256)
def _field_values(kind: Hashable) -> Any:
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    if len(names) == 1:
        return lambda item: (getattr(item, names[0]),)
    return attrgetter(*names) if names else (lambda _: ())
