"""The catalogue of diagnostic codes. A retired code is never used again: leave a comment in its place.

Ranges: 01xx documents, 02xx sources, 03xx resolving (the Gateway API's rules), 04xx policies, 05xx what Envoy said,
06xx processes and the machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Code:
    """`id` is what users search for; `title` says the mistake in a few words, the same for every occurrence."""

    id: str
    title: str
    severity: Literal["error", "warning"] = "error"


def catalogue() -> tuple[Code, ...]:
    """Every code, by id."""
    return tuple(sorted((value for value in globals().values() if isinstance(value, Code)), key=lambda code: code.id))


# 01xx documents
NOT_TEXT = Code("SMP0101", "not a text file")
TOO_LARGE = Code("SMP0102", "too large")
UNKNOWN_FIELD = Code("SMP0103", "unknown field")
SYNTAX = Code("SMP0104", "not readable as YAML")
DUPLICATE_KEY = Code("SMP0105", "key written twice")
TOO_NESTED = Code("SMP0106", "too deep, or too many aliases")
NOT_AN_OBJECT = Code("SMP0107", "not an object")
MISSING_FIELD = Code("SMP0108", "missing field")
WRONG_TYPE = Code("SMP0109", "wrong type")
BAD_VALUE = Code("SMP0110", "value not allowed")
BROKEN_RULE = Code("SMP0111", "fields that do not go together")
BAD_REGEX = Code("SMP0112", "bad regular expression")
BAD_NAME = Code("SMP0113", "bad name")
UNKNOWN_KIND = Code("SMP0114", "unknown kind")
UNKNOWN_VERSION = Code("SMP0115", "unknown version")
UNSUPPORTED_KIND = Code("SMP0116", "kind not supported yet")
UNSUPPORTED_FIELD = Code("SMP0117", "field not supported yet", "warning")
SKIPPED_KIND = Code("SMP0118", "kind of another program", "warning")

# 02xx sources
DUPLICATE_OBJECT = Code("SMP0201", "object defined twice")
UNREADABLE_FILE = Code("SMP0202", "unreadable file")
NOT_A_FILE = Code("SMP0203", "not a regular file", "warning")
MISSING_PATH = Code("SMP0204", "no such file or folder")
LAST_GOOD = Code("SMP0205", "the last good version stays in force", "warning")
BAD_FILE_REFERENCE = Code("SMP0206", "file named by a document is not usable")

# 03xx resolving

# 04xx policies

# 05xx what Envoy said

# 06xx processes and the machine
