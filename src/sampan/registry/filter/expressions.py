"""Regular expressions: Go's are RE2's, so RE2 itself reads them, and its errors are told in Go's words."""

from __future__ import annotations

import re2

from sampan.registry.filter.problem import FilterError, quoted

_IN_GO = {
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "no argument for repetition operator": "missing argument to repetition operator",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid repetition size": "invalid repeat count",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid named capture group": "invalid named capture",
}
_TRAILING = "trailing \\"


class Expression:
    """Finds itself anywhere in a text."""

    def __init__(self, pattern: str) -> None:
        """Raises FilterError."""
        options = re2.Options()
        options.log_errors = False
        try:
            self._compiled = re2.compile(pattern, options)
        except re2.error as error:
            raise FilterError(
                f"Failed to compile regular expression {quoted(pattern)}: error parsing regexp: {_in_go(error)}"
            ) from None

    def found_in(self, text: str) -> bool:
        return self._compiled.search(text) is not None


def _in_go(error: Exception) -> str:
    reason = error.args[0]
    said = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
    if said == _TRAILING:
        return "trailing backslash at end of expression: ``"
    title, _, part = said.partition(": ")
    return f"{_IN_GO.get(title, title)}: `{part}`" if part else said
