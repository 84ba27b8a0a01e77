"""Durations as Go writes and reads them: `10s`, `1h30m`, `250ms`, `1m0s`."""

from __future__ import annotations

import re

# https://pkg.go.dev/time#ParseDuration
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST = (1 << 63) * 1e-9
"""Go counts nanoseconds in 63 bits: 292 years."""
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")


def parse_duration(text: str) -> float:
    """Seconds. Raises ValueError in Go's words."""
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0.0
    seconds, end = 0.0, 0
    for part in _PART.finditer(rest):
        if part.start() != end:
            break
        seconds += float(part[1]) * _UNITS[part[2]]
        end = part.end()
    if not rest or end != len(rest):
        missing = bool(rest) and rest.replace(".", "", 1).isdigit()
        raise ValueError(f'time: {"missing unit in" if missing else "invalid"} duration "{text}"')
    if seconds > _LONGEST:
        raise ValueError(f'time: invalid duration "{text}"')
    return -seconds if text.startswith("-") else seconds


def format_duration(seconds: float) -> str:
    """As Go prints it: `15s`, `1m30s`, `1.5s`, `250ms`."""
    if seconds == 0:
        return "0s"
    sign, left = ("-" if seconds < 0 else ""), abs(seconds)
    if left < 1:
        unit, size = next((unit, size) for unit, size in (("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9)) if left >= size)
        return f"{sign}{_plain(left / size)}{unit}"
    hours, left = divmod(left, 3600)
    minutes, left = divmod(left, 60)
    words = f"{int(hours)}h" if hours else ""
    words += f"{int(minutes)}m" if hours or minutes else ""
    return f"{sign}{words}{_plain(left)}s"


def _plain(value: float) -> str:
    return f"{round(value, 9):.9f}".rstrip("0").rstrip(".")
