"""Durations as Go reads and prints them; the expected texts are those of Go's time package."""

import pytest

from sampan.consul.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 10), ("1h30m", 5400), ("250ms", 0.25), ("1.5s", 1.5), (".5m", 30), ("0", 0), ("-2s", -2), ("1m0s", 60)],
)
def test_reads(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "invalid"),
        ("10", "missing unit"),
        ("s", "invalid"),
        ("1s x", "invalid"),
        ("10 s", "invalid"),
        ("9999999h", "invalid"),
    ],
)
def test_refuses(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (15, "15s"), (90, "1m30s"), (3600, "1h0m0s"), (1.5, "1.5s"), (0.25, "250ms"), (-2, "-2s")],
)
def test_prints(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
