"""The table is whole and current: each upstream case has exactly one test, and the page says what the tests say."""

from __future__ import annotations

import importlib.util
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from .upstream import CASES, ELSEWHERE

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"


@pytest.fixture(scope="module")
def table() -> ModuleType:
    spec = importlib.util.spec_from_file_location("conformance_table", Path(__file__).with_name("table.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["conformance_table"] = module
    spec.loader.exec_module(module)
    return module


def test_each_case_has_exactly_one_test(table: ModuleType) -> None:
    counted = Counter(test.case for test in table.tests())
    assert {name: counted.get(name, 0) for name in CASES if name not in ELSEWHERE} == {
        name: 1 for name in CASES if name not in ELSEWHERE
    }
    assert set(counted) <= set(CASES), "a test stands for a case that is not upstream's"


def test_the_page_is_current(table: ModuleType) -> None:
    assert PAGE.read_text() == table.page(), "python tests/conformance/table.py > docs/conformance.md"
