"""Strings in expressions: Go's own, so `strconv.Unquote` says what they mean."""

from __future__ import annotations

import re

_SIMPLE = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, '"': 34}
_ESCAPE = re.compile(
    r'\\(?:(?P<simple>[abfnrtv\\"])|x(?P<byte>[0-9a-fA-F]{2})|(?P<octal>[0-7]{3})'
    r"|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8}))"
)


def unquote(literal: str) -> str | None:
    """The string that a literal with its quotes stands for, or None if it stands for none."""
    inside = literal[1:-1]
    if literal[0] == "`":
        return inside.replace("\r", "")
    if "\n" in inside:
        return None
    content = bytearray()
    at = 0
    while (escape := inside.find("\\", at)) >= 0:
        content += inside[at:escape].encode()
        found = _ESCAPE.match(inside, escape)
        if found is None or (meant := _meant(found)) is None:
            return None
        content += meant
        at = found.end()
    content += inside[at:].encode()
    return content.decode(errors="replace")


def _meant(escape: re.Match[str]) -> bytes | None:
    if simple := escape["simple"]:
        return bytes([_SIMPLE[simple]])
    if escape["byte"] or escape["octal"]:
        value = int(escape["byte"], 16) if escape["byte"] else int(escape["octal"], 8)
        return bytes([value]) if value < 256 else None
    code = int(escape["short"] or escape["long"], 16)
    return None if code > 0x10FFFF or 0xD800 <= code < 0xE000 else chr(code).encode()
