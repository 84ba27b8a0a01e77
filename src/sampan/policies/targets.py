"""What every policy's spec has: its targets, and that a field is set only where it means something.

A policy's spec is two classes: the settings alone (`TimeoutSettings`), and the document's spec (`Timeout`), which is
`Targeted` and has the settings' fields beside `targetRefs`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from pydantic import Field

from sampan.documents.kinds.references import PolicyTargetReference, target_mistakes
from sampan.documents.kinds.shape import Mistake, Spec


class Targeted(Spec):
    """Attached by `targetRefs` (GEP-713). More than one level may say something: field by field, the most specific
    wins, from Gateway, listener, route and named rule to Service."""

    target_refs: Annotated[tuple[PolicyTargetReference, ...], Field(min_length=1, max_length=16)]
    """What it is about, in its own namespace: a Gateway (or a listener of it, by `sectionName`), an HTTPRoute or
    GRPCRoute (or a named rule), a Service or Backend."""

    def mistakes(self) -> Iterator[Mistake]:
        yield from target_mistakes(self.target_refs)


def misplaced(spec: Any, fields: Iterable[str], kinds: Iterable[str], why: str) -> Iterator[Mistake]:
    """A Mistake for each of `fields` (attribute names) that is set although some target is of another kind than
    `kinds`, or is only a listener of a Gateway. `why` says what the field is about."""
    allowed = tuple(kinds)
    strangers = [
        ref for ref in spec.target_refs if ref.kind not in allowed or (ref.kind == "Gateway" and ref.section_name)
    ]
    if not strangers:
        return
    aliases = type(spec).model_fields
    for field in fields:
        if getattr(spec, field) is not None:
            name = aliases[field].alias or field
            reason = f"'{name}' is about {why}, which {_words(strangers[0])} does not decide"
            yield Mistake(reason, (name,), f"it can be set for {', '.join(allowed)}")


def _words(target: PolicyTargetReference) -> str:
    part = f"'{target.section_name}' of " if target.section_name else ""
    return f"{part}{target.kind} '{target.name}'"
