"""Every mistake a document can hold, with exactly what is said: code, line, column, field, reason and hint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from sampan.documents.kinds.built_in import BUILT_IN
from sampan.documents.load import load
from sampan.model import codes
from sampan.model.diagnostic import Diagnostic

CASES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("mistakes.yaml").read_text(encoding="utf-8"))


def told(diagnostic: Diagnostic) -> dict[str, str]:
    place = f"{diagnostic.origin.line}:{diagnostic.origin.column}"
    known = {"code": diagnostic.code.id, "at": place, "field": diagnostic.field_text, "reason": diagnostic.reason}
    return {key: value for key, value in (known | {"hint": diagnostic.hint}).items() if value}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_each_mistake_is_told_at_its_place(case: dict[str, Any]) -> None:
    loaded = load(case["text"], "a.yaml", BUILT_IN)
    assert [told(diagnostic) for diagnostic in loaded.diagnostics] == case["mistakes"]


# A binary file is refused as a whole.
@pytest.mark.parametrize("case", [case for case in CASES if "\0" not in case["text"]], ids=lambda case: case["name"])
def test_a_document_with_an_error_gives_no_object_and_its_neighbours_stay(case: dict[str, Any]) -> None:
    good = "---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: good\n"
    loaded = load(f"{good}---\n{case['text']}{good.replace('good', 'better')}", "a.yaml", BUILT_IN)
    names = [item.ref.name for item in loaded.objects]
    errors = [item for item in loaded.diagnostics if item.severity == "error"]
    assert [name for name in names if name in ("good", "better")] == ["good", "better"]
    assert (len(names) > 2) == (not errors)
    assert [told(item) | {"at": ""} for item in loaded.diagnostics] == [item | {"at": ""} for item in case["mistakes"]]
    assert all(item.origin.line >= 7 for item in loaded.diagnostics)


def test_every_code_of_reading_has_a_case() -> None:
    # Told by `skip_warnings` and by the loading of bytes, which have tests of their own.
    elsewhere = {codes.SKIPPED_KIND.id, codes.TOO_LARGE.id}
    seen = {mistake["code"] for case in CASES for mistake in case["mistakes"]}
    assert {code.id for code in codes.catalogue() if code.id.startswith("SMP01")} - elsewhere == seen


def test_no_secret_is_ever_shown() -> None:
    for case in CASES:
        if "hunter2" in case["text"]:
            loaded = load(case["text"], "a.yaml", BUILT_IN)
            assert loaded.diagnostics
            assert "hunter2" not in repr(loaded)
            assert not any("hunter2" in item.reason + item.hint for item in loaded.diagnostics)
