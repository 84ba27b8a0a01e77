"""Validation errors in users' words: pydantic's terms never reach a message."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from itertools import islice
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sampan.documents.kinds.scalars import (
    DURATION_PATTERN,
    HEADER_VALUE_PATTERN,
    HOSTNAME_PATTERN,
    WORDS,
    duration_text,
    matches,
)
from sampan.documents.kinds.shape import Mistake, Path
from sampan.model.codes import (
    BAD_VALUE,
    MISSING_FIELD,
    UNKNOWN_FIELD,
    WRONG_TYPE,
)

# Of one document; whoever has more mends these first. A file of garbage must not cost minutes of messages.
MOST = 100

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "an object",
    "mapping_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "duration_type": "a duration such as '10s'",
    "is_instance_of": "text",
    "bytes_type": "text",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}


def found_words(value: object) -> str:
    """What a value is, in YAML's terms."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return "a number" if isinstance(value, int) else "a number with a fraction"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list | tuple) else "an object"


def shown(value: object) -> str:
    """A value in a message, short and on one line."""
    text = str(value)
    return repr(text if len(text) <= 60 else text[:57] + "...")


def nearest(word: str, words: Iterator[str] | list[str] | tuple[str, ...]) -> str:
    """The word that was probably meant, or ""."""
    candidates = list(words)
    by_case = {candidate.lower(): candidate for candidate in candidates}
    if word.lower() in by_case:
        return by_case[word.lower()]
    close = get_close_matches(word.lower(), by_case, n=1, cutoff=0.7)
    return by_case[close[0]] if close else ""


def mistakes_of(error: ValidationError, spec: type[BaseModel], secret: bool = False) -> list[Mistake]:
    """All mistakes, fields relative to the spec. With `secret` no message holds a value."""
    result: list[Mistake] = []
    for detail in islice(error.errors(include_url=False), MOST + 1):
        path = tuple(part for part in detail["loc"] if part != "[key]")
        # A key is no secret; a value is.
        result.extend(_translated(detail, path, spec, secret and "[key]" not in detail["loc"]))
    return result


def _translated(detail: ErrorDetails, path: Path, spec: type[BaseModel], secret: bool) -> Iterator[Mistake]:
    kind, value, context = detail["type"], detail.get("input"), detail.get("ctx", {})
    if kind == "mistakes":
        for mistake in context["mistakes"]:
            yield Mistake(mistake.reason, path + mistake.field, mistake.hint, mistake.code)
    elif kind == "extra_forbidden":
        yield unknown_field(path, fields_at(spec, path[:-1]))
    elif kind == "missing":
        yield Mistake(f"'{path[-1]}' is missing", path, f"add '{path[-1]}:'", MISSING_FIELD)
    elif kind in _EXPECTED:
        yield _wrong_type(path, _EXPECTED[kind], value, secret)
    elif kind in ("too_short", "too_long"):
        yield from _bad_length(path, kind, value, context)
    else:
        yield Mistake(*_bad_value(kind, "a secret value" if secret else shown(value), value, context, path), BAD_VALUE)


def unknown_field(path: Path, known: list[str]) -> Mistake:
    meant = nearest(str(path[-1]), known)
    hint = f"did you mean '{meant}'?" if meant else f"fields here: {', '.join(sorted(known))}" if known else ""
    return Mistake(f"'{path[-1]}' is not a field of this object", path, hint, UNKNOWN_FIELD)


def _wrong_type(path: Path, expected: str, value: object, secret: bool) -> Mistake:
    hint = ""
    if expected == "text" and isinstance(value, int | float):
        word = str(value).lower() if isinstance(value, bool) else str(value)
        hint = "put it in quotes" if secret else f'put it in quotes: "{word}"'
    elif expected in ("a whole number", "true or false") and isinstance(value, str) and not secret:
        plain = value.isdigit() if expected == "a whole number" else value in ("true", "false")
        other = "write digits alone" if expected == "a whole number" else "write true or false"
        hint = f"write {value} without quotes" if plain else other
    elif expected.startswith("a duration") and isinstance(value, int) and not isinstance(value, bool):
        hint = f"write '{value}s' for seconds or '{value}ms' for milliseconds"
    elif expected == "a list" and isinstance(value, dict):
        hint = "start each item with '- '"
    return Mistake(f"expected {expected}, found {found_words(value)}", path, hint, WRONG_TYPE)


def _bad_length(path: Path, kind: str, value: object, context: Mapping[str, Any]) -> Iterator[Mistake]:
    short = kind == "too_short"
    limit = context["min_length"] if short else context["max_length"]
    # pydantic counts the items that are right; a list whose items are wrong says so by them.
    if short and isinstance(value, list) and len(value) >= limit:
        return
    bound = f"at least {limit}" if short else f"at most {limit}"
    yield Mistake(
        f"{bound} {'is' if limit == 1 else 'are'} needed" if short else f"{bound} are allowed", path, "", BAD_VALUE
    )


def _bad_value(kind: str, word: str, value: object, context: Mapping[str, Any], path: Path) -> tuple[str, Path, str]:
    if kind == "string_pattern_mismatch":
        rule = WORDS.get(context["pattern"], "")
        if context["pattern"] in _MORE_HINTS:
            return f"{word} is not allowed: {rule}", path, _MORE_HINTS[context["pattern"]](str(value))
        lower = isinstance(value, str) and value.lower() != value and rule.startswith(("lower-case", "a lower-case"))
        return f"{word} is not allowed: {rule}", path, f"write '{str(value).lower()}'" if lower else ""
    if kind in ("string_too_short", "string_too_long"):
        if kind == "string_too_short":
            return "may not be empty", path, ""
        return f"longer than {context['max_length']} characters", path, ""
    if kind == "literal_error":
        allowed = [part.strip().strip("'") for part in context["expected"].replace(" or ", ", ").split(",")]
        meant = nearest(str(value), allowed)
        hint = f"did you mean '{meant}'?" if meant else ""
        return f"{word} is not one of {', '.join(allowed)}", path, hint
    if kind in _BOUNDS:
        key, phrase = _BOUNDS[kind]
        # The only texts that have bounds are durations, which are compared in milliseconds.
        bound = duration_text(context[key]) if isinstance(value, str) else context[key]
        return f"{word} is out of range: {phrase} {bound}", path, ""
    if kind == "base64":
        return "not base64", path, "values under 'data' are base64; plain text goes under 'stringData'"
    return f"{word} is not allowed", path, ""


def _duration_hint(text: str) -> str:
    if re.search(r"[.,][0-9]", text):
        return "whole numbers only: '1500ms' instead of '1.5s'"
    if re.search(r"[0-9]{6}", text):
        return "a number has at most five digits: use a larger unit"
    return "the units are h, m, s and ms"


def _header_hint(text: str) -> str:
    if not text.replace("\t", " ").isprintable():
        return "remove line ends and other control characters"
    return "remove the spaces at its ends, and double ones" if text.isascii() else "encode what is not ASCII"


def _hostname_hint(text: str) -> str:
    if text == "*":
        return "leave it out: without a host name every host is meant"
    host = re.sub(r"^[a-z]+://|[:/].*", "", text.lower())
    return f"write '{host}'" if host != text and matches(HOSTNAME_PATTERN, host) else ""


_MORE_HINTS = {DURATION_PATTERN: _duration_hint, HEADER_VALUE_PATTERN: _header_hint, HOSTNAME_PATTERN: _hostname_hint}


def fields_at(spec: type[BaseModel], path: Path) -> list[str]:
    """The names of the fields of the object at `path`, [] if it is none of ours."""
    current: Any = spec
    for part in path:
        if isinstance(part, int):
            current = _item(current)
            continue
        model = model_of(current)
        if model is None:
            return []
        field = next((field for field in model.model_fields.values() if field.alias == part), None)
        if field is None:
            return []
        current = field.annotation
    model = model_of(current)
    return [str(field.alias) for field in model.model_fields.values()] if model else []


def _item(annotation: Any) -> Any:
    for choice in choices(annotation):
        if get_origin(choice) is tuple:
            return get_args(choice)[0]
    return None


def choices(annotation: Any) -> list[Any]:
    """An annotation without Annotated, Optional and Union."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return choices(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [inner for choice in get_args(annotation) for inner in choices(choice)]
    return [annotation]


def model_of(annotation: Any) -> type[BaseModel] | None:
    """The class behind an annotation, if it is one of ours."""
    for choice in choices(annotation):
        if isinstance(choice, type) and issubclass(choice, BaseModel):
            return choice
    return None
