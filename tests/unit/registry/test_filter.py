"""The filter language, on answers as the API gives them."""

from __future__ import annotations

import pytest

from sampan.registry.filter import FilterError, fields, parse

from .filter_cases import FINDS, INSTANCES

ALL = "abc"


def finds(expression: str) -> str:
    """The ids of what it finds, or its error."""
    try:
        wanted = parse(expression, fields.INSTANCE)
    except FilterError as error:
        return str(error)
    return "".join(instance["Service"]["ID"] for instance in INSTANCES if wanted(instance))


@pytest.mark.parametrize(("expression", "expected"), FINDS)
def test_expression(expression: str, expected: str) -> None:
    if len(expected) <= len(ALL):
        assert finds(expression) == expected
    else:
        found = finds(expression)
        assert found.startswith("Failed to create boolean expression evaluator: ")
        assert expected in found


@pytest.mark.parametrize(
    ("of", "answer", "expression"),
    [
        (fields.NODE, {"Node": "one", "Meta": {"rack": "r1"}}, "Node == one and Meta.rack == r1"),
        (fields.SERVICE, {"ID": "a", "Tags": ["x"], "Port": 80}, "ID == a and x in Tags and Port == 80"),
        (
            fields.CATALOG_SERVICE,
            {"Node": "one", "ServiceTags": ["x"], "NodeMeta": None, "ServiceWeights": {"Passing": 2}},
            "x in ServiceTags and NodeMeta is empty and ServiceWeights.Passing == 2",
        ),
        (fields.CHECK, {"CheckID": "c", "ServiceTags": [], "Status": "passing"}, "Status == passing"),
    ],
)
def test_each_kind_of_answer(of: fields.Fields, answer: dict[str, object], expression: str) -> None:
    assert parse(expression, of)(answer)
    assert not parse(f"not ({expression})", of)(answer)


def test_long_chains_need_no_deep_stack() -> None:
    chain = " or ".join(["Service.ID == x"] * 2000 + ["Service.ID == c"])
    assert finds(chain) == "c"
    assert finds("not " * 2001 + "Service.ID == c") == "ab"


def test_deep_parentheses_are_refused() -> None:
    """Consul takes four times as long for each; here it is linear, and ends."""
    assert finds("(" * 20 + "Service.ID == c" + ")" * 20) == "c"
    assert "parentheses" in finds("(" * 5000 + "Service.ID == c" + ")" * 5000)
    assert "parentheses" in finds("(" * 5000)
