"""What is written to the KV about a document."""

from __future__ import annotations

import json
from typing import Any

from sampan.daemon.shared_status import LARGEST, body, value


def _condition(
    type_: str, status: str = "True", since: str = "2026-01-01T00:00:00Z", message: str = ""
) -> dict[str, Any]:
    return {"type": type_, "status": status, "lastTransitionTime": since, "reason": type_, "message": message}


def _parent(name: str, *conditions: dict[str, Any]) -> dict[str, Any]:
    return {"parentRef": {"kind": "Gateway", "name": name}, "conditions": list(conditions)}


def _stored(wanted: dict[str, Any], before: bytes = b"") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(body(wanted, before))
    return found


def test_nothing_to_say_is_nothing() -> None:
    assert value(None, []) is None
    assert value({}, []) is None
    assert value({"conditions": []}, []) == {"status": {"conditions": []}}


def test_who_takes_over_changes_no_times() -> None:
    first = {
        "status": {"parents": [_parent("a", _condition("Accepted")), _parent("b", _condition("Accepted", "False"))]}
    }
    before = body(first, b"")
    later = "2026-02-02T00:00:00Z"
    # In another order, seen later by another control plane.
    again = {
        "status": {
            "parents": [
                _parent("b", _condition("Accepted", "False", later)),
                _parent("a", _condition("Accepted", "True", later)),
            ]
        }
    }
    times = [parent["conditions"][0]["lastTransitionTime"] for parent in _stored(again, before)["status"]["parents"]]
    assert times == ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"]
    same = {"status": {"parents": list(reversed(again["status"]["parents"]))}}
    assert body(same, before) == before


def test_a_condition_that_changed_has_its_own_time() -> None:
    before = body({"status": {"conditions": [_condition("Accepted")]}}, b"")
    after = {"status": {"conditions": [_condition("Accepted", "False", "2026-02-02T00:00:00Z")]}}
    assert _stored(after, before) == after


def test_what_others_wrote_there_is_replaced() -> None:
    wanted = {"status": {"conditions": [_condition("Accepted")]}}
    for before in (
        b"",
        b"no JSON",
        b"[]",
        b'{"status": 1}',
        b'{"status": {"conditions": {"a": 1}, "parents": [1]}}',
        b"\xff",
    ):
        assert _stored(wanted, before) == wanted


def test_what_is_too_large_is_shortened_and_says_so() -> None:
    said = [{"code": "SMP0311", "reason": "r" * 2000, "hint": ""}] * 300
    found = _stored({"status": {"conditions": [_condition("Accepted", message="m" * 5000)]}, "diagnostics": said})
    assert len(json.dumps(found)) <= LARGEST
    assert len(found["diagnostics"]) == 50
    assert found["truncated"] == "shortened to fit into the KV: 250 more mistakes"
    parents = [_parent(f"gateway-{number}", _condition("Accepted", message="m" * 900)) for number in range(2000)]
    found = _stored({"status": {"parents": parents}})
    left = 2000 - len(found["status"]["parents"])
    assert found["status"]["parents"]
    assert found["truncated"] == f"shortened to fit into the KV: {left} more parents"
    assert len(body({"status": {"extra": "x" * 600_000}}, b"")) <= LARGEST


def test_what_fits_is_left_alone() -> None:
    wanted = {"status": {"conditions": [_condition("Accepted", message="m" * 5000)]}}
    assert _stored(wanted) == wanted
