"""Expressions by chance, most of them sound, for two parsers to agree on."""

from __future__ import annotations

from random import Random

from sampan.registry.filter.fields import Field, Fields
from sampan.registry.filter.tree import Operator

KEYS = ("version", "rack", "lan", "nope")
WORDS = (
    "a",
    "c",
    "one",
    "two",
    "shop",
    "primary",
    "v2",
    "passing",
    "1.5",
    '"10.0.0.1"',
    "`^o`",
    '"(?i)A"',
    '""',
    "`über`",
)
VALUES = {str: WORDS, int: ("80", "0", '"0x50"', "8080", "10", "-1", "x"), bool: ("true", "f", "1", "no")}
SPELT = {
    Operator.EQUAL: "{selector} == {value}",
    Operator.NOT_EQUAL: "{selector}!={value}",
    Operator.IN: "{value} in {selector}",
    Operator.NOT_IN: "{selector} not contains {value}",
    Operator.IS_EMPTY: "{selector} is empty",
    Operator.IS_NOT_EMPTY: "{selector} is not\tempty",
    Operator.MATCHES: "{selector} matches {value}",
    Operator.NOT_MATCHES: "{selector} not matches {value}",
}


def random_expression(chance: Random, of: Fields) -> str:
    expression = _expression(chance, of, 3)
    if chance.random() < 0.3:
        at = chance.randrange(1, len(expression))
        after = chance.choice([expression[at:], expression[at + 1 :], "", " " + expression[at:]])
        expression = expression[:at] + chance.choice(["(", ")", "[", '"', "`", ".", "x", "ä", "", "\n", "not "]) + after
    return expression


def _expression(chance: Random, of: Fields, depth: int) -> str:
    kind = chance.randrange(6) if depth else 0
    if kind < 2:
        return _match(chance, of)
    inside = _expression(chance, of, depth - 1)
    if kind == 2:
        return f"not {inside}"
    if kind == 3:
        return f"({inside} )"
    return f"{inside} {chance.choice(['and', 'or'])} {_expression(chance, of, depth - 1)}"


def _match(chance: Random, of: Fields) -> str:
    selector, field = _selector(chance, of)
    usual = sorted(field.operators or (Operator.EQUAL,), key=lambda one: one.value)
    operator = chance.choice(usual) if chance.random() < 0.95 else chance.choice(list(Operator))
    return SPELT[operator].format(selector=selector, value=chance.choice(VALUES[field.scalar]))


def _selector(chance: Random, of: Fields) -> tuple[str, Field]:
    name = chance.choice(sorted(of))
    field = of[name]
    while (field.members or field.any_key) and (not field.operators or chance.random() < 0.7):
        if field.any_key is not None:
            key = chance.choice(KEYS)
            name, field = f"{name}.{key}" if chance.random() < 0.5 else f'{name}["{key}"]', field.any_key
        else:
            inside = chance.choice(sorted(field.members))
            name, field = f"{name}.{inside}", field.members[inside]
    return name, field
