"""Where an object comes from and what is known of it beside its spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from sampan.model.names import Ref

EMPTY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Origin:
    """The place of an object in its source: `file` is a path (or a key, or a URL), lines and columns count from 1."""

    source: str
    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        place = self.file or self.source
        return f"{place}:{self.line}:{self.column}" if self.line else place


@dataclass(frozen=True, slots=True)
class Meta:
    """What every object has beside its spec.

    `created` is the document's own `metadata.creationTimestamp` (RFC 3339 UTC) or "": an object without one is younger
    than every object with one, and equals are ordered by namespace and name, so the order is the same on every machine
    and after every restart. `generation` is the document's own or 0 (the daemon then counts changes of the spec).
    """

    labels: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    annotations: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    created: str = ""
    generation: int = 0
    origin: Origin = Origin("memory")


@dataclass(frozen=True, slots=True, eq=False)
class Object:
    """One object of the configuration. `spec` is the frozen class of its kind (`sampan.documents.kinds`, a policy's).

    Compared by identity: an unchanged document keeps its Object from one Snapshot to the next, which lets every later
    stage see at a glance what changed. `text` is the document it was read from, kept for the lines of diagnostics.
    """

    ref: Ref
    meta: Meta
    spec: Any
    text: str = field(default="", repr=False)

    @property
    def age_key(self) -> tuple[str, str, str]:
        """Sorts older first, as the Gateway API's conflict rules want: created, then namespace and name."""
        return (self.meta.created or "~", self.ref.namespace, self.ref.name)
