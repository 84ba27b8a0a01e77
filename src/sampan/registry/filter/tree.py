"""What an expression says, before it is bound to fields."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Operator(Enum):
    """By the names that errors give them. `contains` is `in` with its sides exchanged."""

    EQUAL = "Equal"
    NOT_EQUAL = "Not Equal"
    IN = "In"
    NOT_IN = "Not In"
    IS_EMPTY = "Is Empty"
    IS_NOT_EMPTY = "Is Not Empty"
    MATCHES = "Matches"
    NOT_MATCHES = "Not Matches"


@dataclass(frozen=True, slots=True)
class Match:
    """`value` is "" for the operators that take none."""

    selector: tuple[str, ...]
    operator: Operator
    value: str = ""


@dataclass(frozen=True, slots=True)
class Not:
    operand: Expression


@dataclass(frozen=True, slots=True)
class All:
    """At least two, in the order in which they are asked."""

    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Any:
    operands: tuple[Expression, ...]


Expression = Match | Not | All | Any
