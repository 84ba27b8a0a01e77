"""What the operators stand between: selectors, and values in their three spellings. And the space around them."""

from __future__ import annotations

import string

from sampan.registry.filter.literals import unquote
from sampan.registry.filter.reader import Reader, Rule, kept

_LETTERS = frozenset(string.ascii_letters)
_WORD = frozenset(string.ascii_letters + string.digits + "_")
_DIGITS = frozenset(string.digits)
_SPACE = frozenset(" \t\r\n")


def at_end(reader: Reader) -> bool:
    return reader.absent(Reader.any_character)


def spaces(reader: Reader) -> str | None:
    """At least one, or None."""
    start = reader.at
    while reader.one_of(_SPACE, r"[ \t\r\n]") is not None:
        pass
    return reader.text[start : reader.at] or None


def _fixed(text: str) -> Rule[str | None]:
    return lambda reader: reader.literal(text)


closing = _fixed(")")
_closing_index = _fixed("]")
_CLOSING = {quote: _fixed(quote) for quote in ("`", '"')}


@kept
def read_selector(reader: Reader) -> tuple[str, ...] | None:
    if (first := _identifier(reader)) is None:
        return None
    names = [first]
    while (name := _member(reader)) is not None:
        names.append(name)
    return tuple(names)


def _identifier(reader: Reader) -> str | None:
    start = reader.at
    if reader.one_of(_LETTERS, "[a-zA-Z]") is None:
        return None
    while reader.one_of(_WORD, "[a-zA-Z0-9_]") is not None:
        pass
    return reader.text[start : reader.at]


def _member(reader: Reader) -> str | None:
    start = reader.at
    if reader.literal(".") is not None and (name := _identifier(reader)) is not None:
        return name
    reader.at = start
    return _index(reader)


@kept
def _index(reader: Reader) -> str | None:
    start = reader.at
    if reader.literal("[") is None:
        return None
    spaces(reader)
    name = _string(reader)
    if name is not None:
        spaces(reader)
        if _closing_index(reader) is not None:
            return name
        if reader.absent(_closing_index):
            reader.mistake("index", "Unclosed index expression")
    elif reader.absent(_string):
        reader.mistake("index", "Invalid index")
    reader.at = start
    return None


@kept
def read_value(reader: Reader) -> str | None:
    if (selector := read_selector(reader)) is not None:
        return ".".join(selector)
    number = _number(reader)
    return _string(reader) if number is None else number


@kept
def _number(reader: Reader) -> str | None:
    start = reader.at
    reader.literal("-")
    if not _digits(reader):
        reader.at = start
        return None
    if _after_number(reader) is not None:
        return reader.text[start : reader.at]
    if reader.absent(_after_number):
        reader.mistake("number", "Invalid number literal")
    reader.at = start
    return None


def _after_number(reader: Reader) -> str | None:
    start = reader.at
    found = spaces(reader) is not None or at_end(reader) or closing(reader) is not None
    reader.at = start
    return "" if found else None


def _digits(reader: Reader) -> bool:
    if reader.literal("0") is None:
        if reader.one_of(_DIGITS - {"0"}, "[1-9]") is None:
            return False
        while reader.one_of(_DIGITS, "[0-9]") is not None:
            pass
    whole = reader.at
    if reader.literal(".") is None or reader.one_of(_DIGITS, "[0-9]") is None:
        reader.at = whole
        return True
    while reader.one_of(_DIGITS, "[0-9]") is not None:
        pass
    return True


@kept
def _string(reader: Reader) -> str | None:
    start = reader.at
    for quote in _CLOSING:
        reader.at = start
        if reader.literal(quote) is None:
            continue
        closing = _CLOSING[quote]
        while reader.absent(closing) and reader.any_character() is not None:
            pass
        if closing(reader) is not None:
            return _unquoted(reader, start)
        if at_end(reader):
            reader.mistake("string", "Unterminated string literal")
    reader.at = start
    return None


def _unquoted(reader: Reader, start: int) -> str:
    found = unquote(reader.text[start : reader.at])
    if found is None:
        reader.mistake("string", "invalid syntax", start)
    return found or ""
