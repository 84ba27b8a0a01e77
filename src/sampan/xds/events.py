"""What a stream reports, and what is remembered of a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sampan.envoy.table import Row


@dataclass(frozen=True, slots=True)
class Verdict:
    """A proxy refused `version` of a resource, for `reason`; `good` is what it had before, if we know."""

    version: str
    reason: str
    good: Row | None


Verdicts = dict[tuple[str, str], Verdict]
"""By (type, name). Shared by the streams of one scope, so that a restarted proxy gets what was good at once."""


@dataclass(frozen=True, slots=True)
class Acked:
    """The proxy confirmed a response. All of `type` up to `revision` is with it, or refused."""

    type: str
    revision: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The proxy refused these versions (name to version); everything else it was sent is in force. `reason` is
    Envoy's text as it came."""

    type: str
    versions: Mapping[str, str]
    reason: str


@dataclass(frozen=True, slots=True)
class GaveUp:
    """The proxy did not ask for, or confirm, these (type, name) in time: the round went on without."""

    resources: tuple[tuple[str, str], ...]


Event = Acked | Refused | GaveUp
