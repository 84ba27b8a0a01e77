"""A text to its documents. A line that starts with `---` or `...` ends a document wherever it stands (YAML 1.2, 9.1.2:
not even a block scalar or a quoted text may hold one), so each part can be read, and be wrong, by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_MARKER = re.compile(r"^(?:---|\.\.\.)(?=[ \t\n]|\Z)", re.MULTILINE)
# Only blank lines, comments, directives (`%YAML 1.2`) and the markers themselves.
_EMPTY = re.compile(r"(?:(?:---|\.\.\.)?[ \t]*(?:#.*)?(?:\n|\Z)|%.*(?:\n|\Z))*\Z")


# A marker line with nothing on it is left out, so that a document is the same text with it and without.
_BARE_MARKER = re.compile(r"(?:---|\.\.\.)[ \t]*\n")


@dataclass(frozen=True, slots=True)
class Part:
    """One document's text; `line` is the line of the file in which it starts, from 1."""

    text: str
    line: int


def normalised(text: str) -> str:
    """Without a byte order mark, and with `\\n` alone as the end of lines."""
    text = text.removeprefix("\ufeff")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def split(text: str) -> Iterator[Part]:
    """All documents that hold something. `text` is `normalised`."""
    start, line = 0, 1
    for marker in _MARKER.finditer(text):
        end = marker.start()
        if end > start:
            part = text[start:end]
            yield from _part(part, line)
            line += part.count("\n")
        start = end
    yield from _part(text[start:], line)


def _part(text: str, line: int) -> Iterator[Part]:
    if text and not _EMPTY.match(text):
        marker = _BARE_MARKER.match(text)
        yield Part(text[marker.end() :], line + 1) if marker else Part(text, line)
