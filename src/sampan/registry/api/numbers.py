"""Numbers in queries, as Go reads them."""

from __future__ import annotations

from sampan.registry.api.answer import RefusalError

_LARGEST = (1 << 64) - 1


def unsigned(text: str) -> int:
    """Raises RefusalError (500) in the words of Go's ParseUint, https://pkg.go.dev/strconv#ParseUint."""
    if not (text.isascii() and text.isdigit()):
        raise RefusalError(500, f'strconv.ParseUint: parsing "{text}": invalid syntax')
    digits = text.lstrip("0") or "0"
    number = int(digits) if len(digits) <= 20 else _LARGEST + 1
    if number > _LARGEST:
        raise RefusalError(500, f'strconv.ParseUint: parsing "{text}": value out of range')
    return number
