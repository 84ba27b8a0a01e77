"""A user's mistake, as a value. An exception, by contrast, means our bug."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from sampan.model.codes import Code
from sampan.model.meta import Object, Origin
from sampan.model.names import Ref

Severity = Literal["error", "warning"]
FieldPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake: what (`code`), where (`origin`, `object`, `field`), why (`reason`) and what to do (`hint`).

    `field` is a path into the document, for example `("spec", "rules", 0, "matches", 1, "path", "value")`.
    `origin` names the object's first line until `documents.locate` narrows it to the field's own line.
    """

    code: Code
    reason: str
    origin: Origin
    object: Ref | None = None
    field: FieldPath = ()
    hint: str = ""

    @property
    def severity(self) -> Severity:
        return self.code.severity

    @property
    def field_text(self) -> str:
        """`spec.rules[0].matches[1].path.value`."""
        return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.field).lstrip(".")

    @property
    def sort_key(self) -> tuple[str, int, int, str, str]:
        return (self.origin.file or self.origin.source, self.origin.line, self.origin.column, self.code.id, self.reason)

    def at(self, origin: Origin) -> Diagnostic:
        return replace(self, origin=origin)


def of(code: Code, owner: Object, reason: str, field: FieldPath = (), hint: str = "") -> Diagnostic:
    """A Diagnostic on an object that was read."""
    return Diagnostic(code, reason, owner.meta.origin, owner.ref, field, hint)


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    return any(diagnostic.severity == "error" for diagnostic in diagnostics)


def record(item: Diagnostic) -> dict[str, str | int]:
    """As JSON has it, the same on the command line and over the interface of a running Sampan."""
    return {
        "code": item.code.id,
        "severity": item.severity,
        "title": item.code.title,
        "file": item.origin.file or item.origin.source,
        "line": item.origin.line,
        "column": item.origin.column,
        "object": str(item.object) if item.object else "",
        "field": item.field_text,
        "reason": item.reason,
        "hint": item.hint,
    }
