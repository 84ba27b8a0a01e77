"""Which policies say something about a target, and which of them wins: one per kind and section (GEP-713)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sampan.model.names import Ref
from sampan.resolve.index import policies_for
from sampan.resolve.units import Reader, unit

SectionKey = tuple[str, str]
"""(policy kind, section name or "")."""


@dataclass(frozen=True, slots=True, eq=False)
class Attached:
    """Of one target. `winners` by policy kind and section; `losers`: each policy that an older one of its kind keeps
    out of a section → that section and the winner."""

    winners: Mapping[SectionKey, Ref] = field(default_factory=dict)
    losers: Mapping[Ref, tuple[tuple[str, Ref], ...]] = field(default_factory=dict)

    def policies(self) -> frozenset[Ref]:
        return frozenset(self.winners.values()) | frozenset(self.losers)


NONE_ATTACHED = Attached(MappingProxyType({}), MappingProxyType({}))


def attached(reader: Reader, target: Ref) -> Attached:
    """What is attached to a target: NONE_ATTACHED itself if nothing is."""
    return reader.use(_attached, target) if reader.bucket(policies_for(target)) else NONE_ATTACHED


@unit(tier=1)
def _attached(reader: Reader, target: Ref) -> Attached:
    """The oldest policy of a kind has a section; equals are told apart by name."""
    bucket = reader.bucket(policies_for(target))
    winners: dict[SectionKey, Ref] = {}
    losers: dict[Ref, list[tuple[str, Ref]]] = {}
    for policy in sorted(bucket, key=lambda item: item.age_key):
        for reference in policy.spec.target_refs:
            if (reference.group, reference.kind, reference.name) != (target.group, target.kind, target.name):
                continue
            winner = winners.setdefault((policy.ref.kind, reference.section_name), policy.ref)
            if winner != policy.ref:
                losers.setdefault(policy.ref, []).append((reference.section_name, winner))
    return Attached(winners, {ref: tuple(sections) for ref, sections in losers.items()})
