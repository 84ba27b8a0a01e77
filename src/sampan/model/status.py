"""Status as the Gateway API has it: conditions, for an object and for each parent of a route or policy.

Times are absent here: the core has no clock. The daemon adds `lastTransitionTime` from its own state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Truth = Literal["True", "False", "Unknown"]


@dataclass(frozen=True, slots=True)
class Condition:
    """`type` and `reason` are the Gateway API's words; `message` is for people."""

    type: str
    status: Truth
    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class ListenerStatus:
    """Of one listener of a Gateway. `supported_kinds` are (group, kind) pairs."""

    name: str
    supported_kinds: tuple[tuple[str, str], ...]
    attached_routes: int
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class ParentStatus:
    """Of a route for one parentRef, or of a policy for one ancestor. `parent_ref` as written, with its defaults."""

    parent_ref: Mapping[str, Any]
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """Of one object. Which parts are filled depends on the kind: Gateway has listeners, routes have parents,
    policies have ancestors; `extra` holds what only one kind has (`supportedFeatures`, `addresses`)."""

    conditions: tuple[Condition, ...] = ()
    listeners: tuple[ListenerStatus, ...] = ()
    parents: tuple[ParentStatus, ...] = ()
    ancestors: tuple[ParentStatus, ...] = ()
    extra: tuple[tuple[str, Any], ...] = ()


def condition(conditions: Iterable[Condition], type_: str) -> Condition | None:
    """The condition of that type, or None."""
    return next((found for found in conditions if found.type == type_), None)
