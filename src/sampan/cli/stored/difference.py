"""What would change, as a unified diff. What a Secret holds is masked on both sides."""

from __future__ import annotations

from difflib import unified_diff
from typing import Any

from sampan.cli.stored.plan import Step
from sampan.cli.stored.stamp import value_of
from sampan.documents.render import to_yaml

MASK = "***"
_HOLDING = ("data", "stringData", "binaryData")
# kubectl keeps the whole document in it.
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def difference(step: Step) -> str:
    """ "" if there is none."""
    if step.what == "unchanged":
        return ""
    old = step.before.value.decode("utf-8", "replace") if step.before is not None else ""
    new = step.text
    if step.ref.kind == "Secret":
        old, new = _masked(old, new)
    lines = unified_diff(
        old.splitlines(), new.splitlines(), step.key if old else "/dev/null", step.place or "/dev/null", lineterm=""
    )
    return "".join(f"{line}\n" for line in lines)


def _masked(old: str, new: str) -> tuple[str, str]:
    before, after = value_of(old), value_of(new)
    return _text(old, before, after, "before"), _text(new, after, before, "after")


def _text(text: str, value: dict[str, Any] | None, other: dict[str, Any] | None, side: str) -> str:
    """In canonical form, each value as `***`, and as `*** (before)` or `*** (after)` where it differs."""
    if not text:
        return ""
    if value is None:
        return f"# not readable, so nothing of it is shown ({side})\n"
    masked = dict(value)
    for field in _HOLDING:
        if isinstance(value.get(field), dict):
            held = (other or {}).get(field)
            theirs = held if isinstance(held, dict) else {}
            masked[field] = {
                key: MASK if key not in theirs or theirs[key] == part else f"{MASK} ({side})"
                for key, part in value[field].items()
            }
        elif field in value:
            masked[field] = MASK
    metadata = value.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if isinstance(annotations, dict) and _LAST_APPLIED in annotations:
        masked["metadata"] = {**value["metadata"], "annotations": {**annotations, _LAST_APPLIED: MASK}}
    return to_yaml([masked])
