"""The rules of the language, in the order in which Consul tries them: that order decides what an error expects.

expression = and ("or" and)*           a selector = Name ("." Name | "[" string "]")*
and        = not ("and" not)*          a value    = selector (its text) | number | "string" | `string`
not        = "not"* grouping
grouping   = "(" expression ")" | match
match      = selector ("==" | "!=" | ["not"] "contains" | ["not"] "matches") value
           | selector "is" ["not"] "empty"
           | value ["not"] "in" selector
"""

from __future__ import annotations

from sampan.registry.filter.operands import at_end, closing, read_selector, read_value, spaces
from sampan.registry.filter.problem import FilterError
from sampan.registry.filter.reader import Reader, Rule, kept
from sampan.registry.filter.tree import All, Any, Expression, Match, Not, Operator

NESTING_LIMIT = 25
"""Parentheses in parentheses. Consul has no limit, and takes 2 s to read 9."""


def parse(text: str) -> Expression:
    """Raises FilterError."""
    reader = Reader(text)
    found = _whole(reader)
    if (problem := reader.problem(found)) is not None or found is None:
        raise problem or FilterError("no expression")
    return found


def _whole(reader: Reader) -> Expression | None:
    """All of the text, first as if it were in parentheses."""
    for rule in (_parenthesised, _expression):
        reader.at = 0
        spaces(reader)
        found = rule(reader)
        if found is not None:
            spaces(reader)
            if at_end(reader):
                return found
    return None


def _words(reader: Reader, *words: str) -> bool:
    """Words with space around each."""
    start = reader.at
    for word in words:
        if spaces(reader) is None or reader.literal(word) is None:
            reader.at = start
            return False
    return True


def _chain(reader: Reader, term: Rule[Expression | None], word: str) -> list[Expression]:
    """Terms with the word between them; what follows the last whole one is left."""
    found: list[Expression] = []
    while (one := term(reader)) is not None:
        found.append(one)
        behind = reader.at
        if not _words(reader, word) or spaces(reader) is None:
            reader.at = behind
            return found
    if found:
        reader.at = behind
    return found


@kept
def _expression(reader: Reader) -> Expression | None:
    terms = _chain(reader, _and, "or")
    return Any(tuple(terms)) if len(terms) > 1 else next(iter(terms), None)


@kept
def _and(reader: Reader) -> Expression | None:
    terms = _chain(reader, _not, "and")
    return All(tuple(terms)) if len(terms) > 1 else next(iter(terms), None)


@kept
def _not(reader: Reader) -> Expression | None:
    """`not` may be a selector's name as well: the fewer are read as the word, the later that is tried."""
    starts = [reader.at]
    while reader.literal("not") is not None and spaces(reader) is not None:
        starts.append(reader.at)
    for count in range(len(starts) - 1, -1, -1):
        reader.at = starts[count]
        if (found := _grouping(reader)) is not None:
            return Not(found) if count % 2 else found
    return None


@kept
def _grouping(reader: Reader) -> Expression | None:
    if (found := _parenthesised(reader) or _match(reader)) is not None:
        return found
    start = reader.at
    if _opened(reader) is not None and reader.absent(closing):
        reader.mistake("grouping", "Unmatched parentheses")
    reader.at = start
    return None


@kept
def _opened(reader: Reader) -> Expression | None:
    """A parenthesis and what is in it, up to where its end should be."""
    start = reader.at
    if reader.literal("(") is None:
        return None
    reader.depth += 1
    if reader.depth > NESTING_LIMIT:
        raise FilterError(f"more than {NESTING_LIMIT} parentheses in one another")
    spaces(reader)
    found = _expression(reader)
    reader.depth -= 1
    if found is None:
        reader.at = start
        return None
    spaces(reader)
    return found


@kept
def _parenthesised(reader: Reader) -> Expression | None:
    start = reader.at
    found = _opened(reader)
    if found is None or closing(reader) is None:
        reader.at = start
        return None
    return found


@kept
def _match(reader: Reader) -> Expression | None:
    start = reader.at
    for rule in (_selector_first, _emptiness, _value_first):
        reader.at = start
        if (found := rule(reader)) is not None:
            return found
    reader.at = start
    return None


_SIGNS = (("==", Operator.EQUAL), ("!=", Operator.NOT_EQUAL))
_COMPARISONS = (
    (("contains",), Operator.IN),
    (("not", "contains"), Operator.NOT_IN),
    (("matches",), Operator.MATCHES),
    (("not", "matches"), Operator.NOT_MATCHES),
)
_MEMBERSHIP = ((("in",), Operator.IN), (("not", "in"), Operator.NOT_IN))
_EMPTINESS = ((("is", "empty"), Operator.IS_EMPTY), (("is", "not", "empty"), Operator.IS_NOT_EMPTY))


def _selector_first(reader: Reader) -> Match | None:
    if (selector := read_selector(reader)) is None or (operator := _comparison(reader)) is None:
        return None
    value = read_value(reader)
    return None if value is None else Match(selector, operator, value)


def _comparison(reader: Reader) -> Operator | None:
    start = reader.at
    for sign, operator in _SIGNS:
        reader.at = start
        spaces(reader)
        if reader.literal(sign) is not None:
            spaces(reader)
            return operator
    reader.at = start
    return _spelt(reader, _COMPARISONS)


def _spelt(reader: Reader, operators: tuple[tuple[tuple[str, ...], Operator], ...]) -> Operator | None:
    start = reader.at
    for words, operator in operators:
        if _words(reader, *words) and spaces(reader) is not None:
            return operator
        reader.at = start
    return None


def _emptiness(reader: Reader) -> Match | None:
    if (selector := read_selector(reader)) is None:
        return None
    for words, operator in _EMPTINESS:
        if _words(reader, *words):
            return Match(selector, operator)
    return None


def _value_first(reader: Reader) -> Match | None:
    if (value := read_value(reader)) is None or (operator := _spelt(reader, _MEMBERSHIP)) is None:
        return None
    if (selector := read_selector(reader)) is not None:
        return Match(selector, operator, value)
    if reader.absent(read_selector):
        reader.mistake("match", "Invalid selector")
    return None
