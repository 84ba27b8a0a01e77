"""Text from elsewhere, made fit for a terminal or a log."""

from __future__ import annotations


def one_line(text: object) -> str:
    """Texts of documents stand in reasons: no line feed or escape sequence of theirs may reach a terminal, or forge a
    line of the log."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(text))
