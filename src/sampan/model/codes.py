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

# 02xx sources

# 03xx resolving

# 04xx policies

# 05xx what Envoy said

# 06xx processes and the machine
