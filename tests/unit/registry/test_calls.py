"""The table of calls is what there is, and what the documentation says."""

from __future__ import annotations

import re
from pathlib import Path

from sampan.registry.api import calls
from sampan.registry.api.families import FAMILIES

PAGE = Path(__file__).parents[3] / "docs" / "registry.md"


def routes() -> set[tuple[str, str]]:
    """As the documentation writes them."""
    found = {(route.method, route.path) for family in FAMILIES for route in family}
    return {(method, re.sub(r"\{(\w+)(:[^}]*)?\}", r":\1", path).replace(":rest", "*")) for method, path in found}


def test_every_call_is_in_the_table_and_every_line_of_it_is_a_call() -> None:
    told = {(method, call.path) for call in (*calls.SUPPORTED, *calls.REFUSED) for method in call.methods}
    assert routes() == told


def test_a_refusal_says_why() -> None:
    for call in calls.REFUSED:
        assert call.status in (401, 501)
        assert call.refusal


def test_the_page_has_the_table() -> None:
    text = PAGE.read_text()
    assert text == calls.page(text), "run: python -m sampan.registry.api.calls docs/registry.md"
    assert "Past one machine it is Consul" in text
