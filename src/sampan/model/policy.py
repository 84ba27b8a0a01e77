"""What a policy kind is, and what it comes to for one target: the effective value with its origin.

A policy is a document of `sampan.dev/v1alpha1` with `targetRefs`. Its folder (`sampan.policies.<name>`) describes it
by one `PolicyKind`; resolving merges the settings found at every level, field by field, the most specific level first,
and knows no policy by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Any

from sampan.model.names import Ref


class Level(IntEnum):
    """Where a value can come from; the larger, the more specific. INLINE is a field of the route rule itself
    (`HTTPRoute.spec.rules[].timeouts`), which the Gateway API defines and which therefore beats an attached policy."""

    SHIPPED = 0
    GATEWAY = 1
    LISTENER = 2
    ROUTE = 3
    RULE = 4
    SERVICE = 5
    INLINE = 6


@dataclass(frozen=True, slots=True)
class FieldOrigin:
    """Who set a field of an effective value: the level, and the object (None for what is shipped)."""

    level: Level
    object: Ref | None = None

    def __str__(self) -> str:
        return str(self.object) if self.object else "shipped default"


@dataclass(frozen=True, slots=True, eq=False)
class Effective:
    """The settings in force for one target, every field merged, and where each field came from.

    `value` is an instance of the kind's `settings` class. Shared: equal inputs give the same instance, so that later
    stages may compare by identity.
    """

    kind: str
    value: Any
    origins: Mapping[str, FieldOrigin]


Policies = Mapping[str, Effective]
NO_POLICIES: Policies = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with settings: field path within the spec, a sentence, a hint."""

    field: tuple[str | int, ...]
    reason: str
    hint: str = ""


def no_problems(_: Any) -> Iterable[Problem]:
    return ()


def nothing_inline(_kind: str, _rule: Any) -> Any | None:
    return None


@dataclass(frozen=True, slots=True)
class PolicyKind:
    """Everything the engine must know of a policy kind.

    `spec`: pydantic class of the document's spec (`targetRefs` and the settings' fields).
    `settings`: frozen pydantic class of the fields alone; every field optional, None meaning "not set here".
    `shipped`: the settings in force where nobody says otherwise.
    `levels`: where it may be attached; elsewhere the document is Invalid.
    `inline`: (route kind, rule spec) → settings written in the route itself, or None.
    `problems`: mistakes that only the *merged* settings show (a per-try timeout above the whole).
    `compiler`: module that fills Envoy's messages (`sampan.compile.hooks` says with what), imported only to compile.
    `route_kinds`: the route kinds for which it has a meaning.
    """

    kind: str
    spec: type
    settings: type
    shipped: Any
    levels: frozenset[Level]
    compiler: str
    inline: Callable[[str, Any], Any | None] = nothing_inline
    problems: Callable[[Any], Iterable[Problem]] = no_problems
    route_kinds: frozenset[str] = frozenset({"HTTPRoute", "GRPCRoute"})
