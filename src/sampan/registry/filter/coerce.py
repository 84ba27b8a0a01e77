"""A value as an expression spells it, as the type that its field has. What is a number or a truth is as Go's strconv
says."""

from __future__ import annotations

import re
from typing import Any

from sampan.registry.filter.problem import FilterError, quoted

_INTEGER = re.compile(r"[+-]?(0[xX]_?[0-9a-fA-F]|0[bB]_?[01]|0[oO]_?[0-7]|[0-9])(_?[0-9a-fA-F])*")
_TRUTHS = dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True)
_TRUTHS |= dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False)


def coerced(raw: str, scalar: type, selector: str) -> Any:
    """Raises FilterError."""
    if scalar is str:
        return raw
    try:
        return _integer(raw) if scalar is int else _truth(raw)
    except FilterError as error:
        function = "ParseInt" if scalar is int else "ParseBool"
        raise FilterError(
            f"Failed to coerce value {quoted(raw)} for selector {quoted(selector)}: "
            f"strconv.{function}: parsing {quoted(raw)}: {error}"
        ) from None


def _truth(raw: str) -> bool:
    if raw not in _TRUTHS:
        raise FilterError("invalid syntax")
    return _TRUTHS[raw]


def _integer(raw: str) -> int:
    if not _INTEGER.fullmatch(raw):
        raise FilterError("invalid syntax")
    # Go takes a leading 0 for octal, as C does; Python wants 0o.
    text = re.sub(r"^([+-]?)0(?=[0-9_])", r"\g<1>0o", raw)
    try:
        value = int(text, 0)
    except ValueError:
        raise FilterError("invalid syntax") from None
    if not -(2**63) <= value < 2**63:
        raise FilterError("value out of range")
    return value
