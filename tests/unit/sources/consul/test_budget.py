"""Who gets a blocking query of its own."""

from __future__ import annotations

import pytest

from sampan.sources.consul.budget import LEAST, MOST, chosen, connections
from sampan.sources.consul.convert import Key

KEYS = [Key("", name) for name in "abcdef"]


@pytest.mark.parametrize(
    ("limit", "descriptors", "expected"),
    [
        (200, 20_000, 152),  # Consul's default: a fifth is left to others, and 8 are used already
        (100, 20_000, 60),
        (40, 20_000, 12),
        (4, 20_000, LEAST),  # fewer than we need: it is tried
        (0, 20_000, MOST - 8),  # no limit
        (100_000, 20_000, MOST - 8),
        (100_000, 1024, 504),
        (1000, 20_000, 792),
    ],
)
def test_connections(limit: int, descriptors: int, expected: int) -> None:
    assert connections(limit, descriptors, 8) == expected


def names(**more: object) -> str:
    settings = {"in_use": (), "changed": {}, "held": (), **more}
    found = chosen(KEYS, settings.pop("budget", 3), **settings)  # type: ignore[arg-type]
    return "".join(sorted(key.name for key in found))


def test_all_where_there_is_room() -> None:
    assert names(budget=6) == "abcdef"
    assert names(budget=0) == ""
    assert names(budget=-3) == ""


def test_those_in_use_come_first_then_those_that_changed_last() -> None:
    assert names(in_use=KEYS[4:], changed={KEYS[1]: 7, KEYS[2]: 9}) == "cef"
    assert names(in_use=KEYS, changed={KEYS[3]: 1, KEYS[4]: 2, KEYS[5]: 3}) == "def"


def test_among_equals_those_that_have_one_keep_it() -> None:
    assert names(held=[KEYS[3], KEYS[5], KEYS[4]]) == "def"
    assert names(held=[KEYS[3], KEYS[5], KEYS[4]], changed={KEYS[0]: 1}) == "ade"
