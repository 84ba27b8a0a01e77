"""What is written to the KV about a document: its status and its mistakes, as JSON. Pure.

A control plane that takes over finds what the last one wrote and changes only what is different: the times at which
conditions changed stay those of the first who saw it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

LARGEST = 256 * 1024
"""Bytes of one document's status: half of what Consul's KV takes, so that a transaction takes it too."""
MOST_DIAGNOSTICS = 50
LONGEST_MESSAGE = 500

Value = dict[str, Any]


def value(status: Value | None, diagnostics: Sequence[Mapping[str, Any]]) -> Value | None:
    """None if there is nothing to be said."""
    found: Value = {"status": status} if status else {}
    if diagnostics:
        found["diagnostics"] = [dict(item) for item in diagnostics]
    return found or None


def body(wanted: Value, before: bytes) -> bytes:
    """What is to be stored, given what is: the same bytes if nothing changed but times."""
    try:
        old = json.loads(before)
    except ValueError:
        old = None
    if isinstance(old, dict):
        wanted = _with_times(wanted, old)
    return _fitted(wanted)


# ---- times


def _with_times(wanted: Value, old: Value) -> Value:
    known = dict(_conditions(old.get("status")))
    result: Value = json.loads(json.dumps(wanted))
    for place, condition in _conditions(result.get("status")):
        before = known.get(place)
        if before is not None and before.get("status") == condition.get("status") and "lastTransitionTime" in before:
            condition["lastTransitionTime"] = before["lastTransitionTime"]
    return result


def _conditions(status: Any) -> Iterator[tuple[tuple[str, str], Value]]:
    """Each condition with whose it is and its type. Others may have written there: other shapes are left out."""
    if not isinstance(status, dict):
        return
    owners = [("", status)]
    for field, name in (("listeners", "name"), ("parents", "parentRef"), ("ancestors", "ancestorRef")):
        listed = status.get(field)
        parts = [part for part in listed if isinstance(part, dict)] if isinstance(listed, list) else []
        owners += [(f"{field}/{json.dumps(part.get(name), sort_keys=True)}", part) for part in parts]
    for whose, part in owners:
        listed = part.get("conditions")
        for condition in listed if isinstance(listed, list) else ():
            if isinstance(condition, dict):
                yield (whose, str(condition.get("type"))), condition


# ---- size


def _fitted(wanted: Value) -> bytes:
    """Within LARGEST: first the messages are shortened and mistakes left out, then whole entries of lists."""
    text = _encoded(wanted)
    if len(text) <= LARGEST:
        return text
    said = wanted.get("diagnostics") or []
    shown = [_shortened(item, "reason", "hint") for item in said[:MOST_DIAGNOSTICS]]
    short: Value = json.loads(json.dumps({**wanted, "diagnostics": shown} if shown else wanted))
    for _, condition in _conditions(short.get("status")):
        condition.update(_shortened(condition, "message"))
    notes = [f"{len(said) - len(shown)} more mistakes"] if len(said) > len(shown) else []
    status = short.get("status") or {}
    for field in ("parents", "ancestors", "listeners"):
        listed = status.get(field)
        while listed and len(_encoded(short)) > LARGEST - LONGEST_MESSAGE:
            status[field] = listed[: len(listed) // 2]
            listed = status[field]
        left = len((wanted.get("status") or {}).get(field) or ()) - len(listed or ())
        notes += [f"{left} more {field}"] if left else []
    short["truncated"] = f"shortened to fit into the KV{': ' if notes else ''}{', '.join(notes)}"
    text = _encoded(short)
    return text if len(text) <= LARGEST else _encoded({"truncated": "too large for the KV"})


def _shortened(item: Mapping[str, Any], *fields: str) -> Value:
    long = {key for key in fields if isinstance(item.get(key), str) and len(item[key]) > LONGEST_MESSAGE}
    return {key: f"{part[:LONGEST_MESSAGE]}…" if key in long else part for key, part in item.items()}


def _encoded(value: Value) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
