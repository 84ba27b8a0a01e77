"""What resolving gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sampan.model.diagnostic import Diagnostic
from sampan.model.names import Ref
from sampan.model.plan import Plan, View
from sampan.model.status import Status


@dataclass(frozen=True, slots=True, eq=False)
class Resolution:
    """A Plan for every Gateway of ours that is accepted, the status of every object of ours, and all mistakes found."""

    plans: Mapping[View, Plan] = field(default_factory=dict)
    statuses: Mapping[Ref, Status] = field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = ()
