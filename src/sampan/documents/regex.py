"""Regular expressions are RE2's, as in Envoy, and are tried here before Envoy sees them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

# Envoy's own limit is 100, which refuses `[a-z]{1,50}` (seen with 1.40); Istio raises it to 32768. The bootstrap must
# set the runtime key `re2.max_program_size.error_level` to this number, so that what passes here passes there.
MAX_PROGRAM_SIZE = 32768


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    # As Envoy has it: bytes, not characters. `\pL{100}` has a size of 705 there, and of 119604 in UTF-8.
    options.encoding = re2.Options.Encoding.LATIN1
    return options


@lru_cache(maxsize=16384)
def fault(pattern: str) -> str:
    """Why Envoy would refuse `pattern`, in words without a full stop, or "" if it takes it."""
    try:
        size = re2.compile(pattern.encode(), _options()).programsize
    except re2.error as error:
        reason = error.args[0] if error.args else b""
        return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
    if size > MAX_PROGRAM_SIZE:
        return f"too complex (size {size}, at most {MAX_PROGRAM_SIZE})"
    return ""
