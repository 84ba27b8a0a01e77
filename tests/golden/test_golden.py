"""Every case gives what its golden file says. `GOLDEN=update pytest tests/golden` rewrites the files: read the
difference before you commit it, a golden blesses bugs."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import pytest
from golden_case import Case, cases, outcome
from golden_text import golden, usual_of

from sampan.envoy.consistent import dangling, unused

UPDATE = os.environ.get("GOLDEN") == "update"
PLAIN = "gateway/plain"


@cache
def usual() -> Any:
    plain = next(case for case in cases() if case.name == PLAIN)
    return usual_of(outcome(plain))


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_golden(case: Case) -> None:
    found = outcome(case)
    errors = [item for item in found.diagnostics if item.severity == "error"]
    assert bool(errors) == case.must_fail, f"{case.name}: {errors or 'no error, although it is called bad-…'}"
    for proxy, table in found.tables.items():
        assert not dangling(table), proxy
        assert not unused(table), proxy
    text = golden(found, None if case.name == PLAIN else usual())
    assert "PRIVATE KEY" not in text
    if UPDATE:
        case.golden.write_text(text)
        return
    assert case.golden.exists(), f"there is no {case.golden.name}: GOLDEN=update writes it"
    assert text == case.golden.read_text()


def test_no_golden_is_left_over() -> None:
    """A golden file without a case would never be looked at again."""
    known = {path for case in cases() for path in (case.golden, case.registered)}
    for folder in {case.source.parent for case in cases()}:
        assert {*folder.glob("*.out.yaml"), *folder.glob("*.registered.json")} <= known


def test_names_are_unique() -> None:
    names = [case.name for case in cases()]
    assert len(names) == len(set(names))
