"""Regular expressions are those of Envoy's RE2."""

from __future__ import annotations

import pytest

from sampan.documents.regex import MAX_PROGRAM_SIZE, fault


@pytest.mark.parametrize("pattern", ["", "/a.*", "[a-z]{1,50}", r"\d+\.\d+", "(?i)abc", "日本.*", r"\pL{100}"])
def test_taken(pattern: str) -> None:
    assert fault(pattern) == ""


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("a(b", "missing ): a(b"),
        ("(?=a)", "invalid perl operator: (?="),
        (r"(a)\1", r"invalid escape sequence: \1"),
        ("a{1001}", "invalid repetition size: {1001}"),
        ("[z-a]", "invalid character class range: z-a"),
    ],
)
def test_refused_in_re2s_words(pattern: str, reason: str) -> None:
    assert fault(pattern) == reason


def test_refused_when_too_complex() -> None:
    assert fault("|".join(f"{char}[a-y]{{1000}}" for char in "abcdefghijklmnopqrstuvwxyz") * 2).startswith(
        "too complex (size"
    )
    assert MAX_PROGRAM_SIZE == 32768
