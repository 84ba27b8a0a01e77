"""JSON into known fields, with the leniency and in the words of Go's decoder, which clients know.

Field names match whatever their case is and with or without underscores (`DeregisterCriticalServiceAfter`,
`deregister_critical_service_after`); null is as good as absent; a field that is not known is refused, since it is
mostly a misspelt one. Fields of Consuls later than 1.8 are known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from math import isinf
from typing import Any

from sampan.consul.durations import parse_duration

Reader = Callable[[Any, str], Any]
"""(value, its path as `.Weights.Passing`) to the value of that type. Raises RegistrationError."""
Fields = Mapping[str, tuple[str, Reader]]
"""By folded name: the field's own name, and how it is read."""

_SURROGATES = re.compile("[\ud800-\udfff]")
_LARGEST = 1 << 63


def parse(body: bytes) -> Any:
    """JSON. Raises ValueError. Python's parser takes more (NaN, 1e999, UTF-16), which would go out again as what is no
    JSON, and no client could read the answer."""
    try:
        return _DECODER.decode(body.decode(errors="replace"))
    except RecursionError:
        raise ValueError("exceeded max depth") from None


def _no_number(text: str) -> None:
    raise ValueError(f"invalid number {text}")


def _finite(text: str) -> float:
    value = float(text)
    if isinf(value):
        raise ValueError(f"cannot unmarshal number {text} into Go value of type float64")
    return value


_DECODER = json.JSONDecoder(parse_constant=_no_number, parse_float=_finite)


class RegistrationError(Exception):
    """The text is what the client is told, with Consul's status for it."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


def fields(**readers: Reader) -> Fields:
    return {_folded(name): (name, reader) for name, reader in readers.items()}


def alias(known: Fields, **others: str) -> Fields:
    """`known`, with other names for some: `alias(known, Args="ScriptArgs")`."""
    return {**known, **{_folded(other): known[_folded(name)] for other, name in others.items()}}


def record(value: Any, known: Fields, path: str = "") -> dict[str, Any]:
    """Only what is given; null gives nothing."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _mismatch(value, path, "struct")
    found: dict[str, Any] = {}
    for name, inner in value.items():
        entry = known.get(name.lower()) or known.get(_folded(name))
        if entry is None:
            raise RegistrationError(f'json: unknown field "{_clean(name)}"')
        if inner is not None:
            own, reader = entry
            found[own] = reader(inner, f"{path}.{own}")
    return found


def nested(known: Fields) -> Reader:
    return lambda value, path: record(value, known, path)


def text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise _mismatch(value, path, "string")
    return value if value.isascii() else _clean(value)


def namespace(value: Any, path: str) -> str:
    """The open edition has one, which the field may name; into another nothing is put behind its owner's back."""
    given = text(value, path)
    if given not in ("", "default"):
        raise RegistrationError('json: unknown field "Namespace" - Namespaces are a Consul Enterprise feature')
    return given


def truth(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise _mismatch(value, path, "bool")
    return value


def number(value: Any, path: str) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _mismatch(value, path, "int")
    if not -_LARGEST <= value < _LARGEST:
        raise RegistrationError(f"json: cannot unmarshal number {value} into Go struct field {path} of type int")
    return value


def seconds(value: Any, path: str) -> float:
    """A duration: `10s`, or a number of nanoseconds."""
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError as error:
            raise RegistrationError(str(error)) from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _mismatch(value, path, "time.Duration")
    if not -_LARGEST < value < _LARGEST:
        raise RegistrationError(f"json: cannot unmarshal number into Go struct field {path} of type time.Duration")
    return value / 1e9


def many(reader: Reader, kind: str) -> Reader:
    def read(value: Any, path: str) -> list[Any]:
        if not isinstance(value, list):
            raise _mismatch(value, path, f"[]{kind}")
        return [reader(one, path) for one in value]

    return read


def by_key(reader: Reader, kind: str) -> Reader:
    def read(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _mismatch(value, path, f"map[string]{kind}")
        return {text(key, path): reader(one, path) for key, one in value.items()}

    return read


def as_given(value: Any, path: str) -> Any:
    """What is kept for clients and not looked into."""
    try:
        return _cleaned(value, path)
    except RecursionError:
        raise RegistrationError("json: exceeded max depth") from None


def _cleaned(value: Any, path: str) -> Any:
    if isinstance(value, str):
        return text(value, path)
    if isinstance(value, list):
        return [_cleaned(one, path) for one in value]
    if isinstance(value, dict):
        return {text(key, path): _cleaned(one, path) for key, one in value.items()}
    return value


def record_as_given(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _mismatch(value, path, "struct")
    result: dict[str, Any] = as_given(value, path)
    return result


texts = many(text, "string")
text_by_key = by_key(text, "string")


def _folded(name: str) -> str:
    return name.replace("_", "").lower()


def _clean(value: str) -> str:
    """Half a character (a lone surrogate) is no text that can be stored; Go's decoder puts U+FFFD, too."""
    return _SURROGATES.sub("�", value)


def _mismatch(value: Any, path: str, wanted: str) -> RegistrationError:
    field = path or "."
    return RegistrationError(f"json: cannot unmarshal {_kind(value)} into Go struct field {field} of type {wanted}")


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case str():
            return "string"
        case float():
            return f"number {value}"
        case int():
            return "number"
        case list():
            return "array"
        case dict():
            return "object"
        case _:
            return "null"
