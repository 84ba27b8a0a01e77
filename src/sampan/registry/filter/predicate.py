"""An expression bound to the fields of one kind of answer: a function from an answer, as JSON, to yes or no.

All that can be wrong is found while binding. A field that is left out, or null, is the empty value of its type, as the
API leaves empty ones out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from sampan.registry.filter import tree
from sampan.registry.filter.coerce import coerced
from sampan.registry.filter.expressions import Expression
from sampan.registry.filter.fields import Field, Fields
from sampan.registry.filter.problem import FilterError, quoted
from sampan.registry.filter.tree import Operator

Predicate = Callable[[Mapping[str, Any]], bool]
Test = Callable[[Any], bool]

_WITHOUT_KEY = frozenset({Operator.EQUAL, Operator.IS_NOT_EMPTY, Operator.IN})
"""What does not hold of a key that is absent from a map. All else does, `matches` too: that is Consul's answer."""


def bind(expression: tree.Expression, fields: Fields) -> Predicate:
    """Raises FilterError for a selector that is no field, an operator or a value that the field does not take."""
    match expression:
        case tree.Not(operand):
            return partial(_negated, bind(operand, fields))
        case tree.All(operands):
            return partial(_all, [bind(operand, fields) for operand in operands])
        case tree.Any(operands):
            return partial(_any, [bind(operand, fields) for operand in operands])
        case tree.Match():
            return _Match(expression, fields).holds


def _negated(operand: Predicate, answer: Mapping[str, Any]) -> bool:
    return not operand(answer)


def _all(operands: list[Predicate], answer: Mapping[str, Any]) -> bool:
    return all(operand(answer) for operand in operands)


def _any(operands: list[Predicate], answer: Mapping[str, Any]) -> bool:
    return any(operand(answer) for operand in operands)


class _Match:
    def __init__(self, match: tree.Match, fields: Fields) -> None:
        self._operator = match.operator
        self._path = _path(match.selector, fields)
        selector, of = ".".join(match.selector), self._path[-1][1]
        if match.operator not in of.operators:
            raise FilterError(f"Invalid match operator {quoted(match.operator.value)} for selector {quoted(selector)}")
        self._test = _test(match.operator, coerced(match.value, of.scalar, selector) if _has_value(match) else None)

    def holds(self, answer: Mapping[str, Any]) -> bool:
        return self._within(answer, 0)

    def _within(self, value: Any, depth: int) -> bool:
        """Of a list of records it is enough that one does, even for `!=` and `not in`: Consul's answer too."""
        if depth == len(self._path):
            return self._test(value)
        if isinstance(value, list):
            return any(self._within(one, depth) for one in value)
        name, of, is_key = self._path[depth]
        inside = value.get(name)
        if is_key and inside is None:
            return self._operator not in _WITHOUT_KEY
        return self._within(of.shape() if inside is None else inside, depth + 1)


def _path(selector: tuple[str, ...], fields: Fields) -> list[tuple[str, Field, bool]]:
    """Name, field, and whether the name is a key of a map."""
    path: list[tuple[str, Field, bool]] = []
    members, any_key = fields, None
    for depth, name in enumerate(selector):
        found = members.get(name, any_key)
        if found is None:
            raise FilterError(f"Selector {quoted('.'.join(selector[: depth + 1]))} is not valid")
        path.append((name, found, any_key is not None))
        members, any_key = found.members, found.any_key
    return path


def _has_value(match: tree.Match) -> bool:
    return match.operator not in (Operator.IS_EMPTY, Operator.IS_NOT_EMPTY)


def _test(operator: Operator, wanted: Any) -> Test:
    match operator:
        case Operator.EQUAL:
            return lambda value: bool(value == wanted)
        case Operator.NOT_EQUAL:
            return lambda value: bool(value != wanted)
        case Operator.IN:
            return lambda value: wanted in value
        case Operator.NOT_IN:
            return lambda value: wanted not in value
        case Operator.IS_EMPTY:
            return lambda value: not value
        case Operator.IS_NOT_EMPTY:
            return bool
        case Operator.MATCHES:
            return Expression(wanted).found_in
        case Operator.NOT_MATCHES:
            expression = Expression(wanted)
            return lambda value: not expression.found_in(value)
