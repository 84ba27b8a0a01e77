"""Who gets a blocking query of its own."""

from __future__ import annotations

import pytest

from sampan.sources.consul.budget import LEAST, MOST, chosen, connections, shared
from sampan.sources.consul.convert import Key

KEYS = [Key("", name) for name in "abcdef"]


@pytest.mark.parametrize(
    ("limit", "descriptors", "expected"),
    [
        (200, 20_000, 160),  # Consul's default: a fifth is left to others
        (100, 20_000, 68),
        (40, 20_000, 20),
        (4, 20_000, 8 + LEAST),  # fewer than we need: it is tried
        (0, 20_000, MOST),  # no limit
        (100_000, 20_000, MOST),
        (100_000, 1024, 512),
        (1000, 20_000, 800),
    ],
)
def test_connections(limit: int, descriptors: int, expected: int) -> None:
    assert connections(limit, descriptors, 8) == expected


def names(**more: object) -> str:
    settings = {"in_use": lambda key: False, "changed": {}, "held": (), **more}
    found = chosen(KEYS, settings.pop("budget", 3), **settings)  # type: ignore[arg-type]
    return "".join(sorted(key.name for key in found))


def test_all_where_there_is_room() -> None:
    assert names(budget=6) == "abcdef"
    assert names(budget=0) == ""
    assert names(budget=-3) == ""


def test_those_in_use_come_first_then_those_that_changed_last() -> None:
    assert names(in_use=lambda key: key.name in "ef", changed={KEYS[1]: 7, KEYS[2]: 9}) == "cef"
    assert names(in_use=lambda key: True, changed={KEYS[3]: 1, KEYS[4]: 2, KEYS[5]: 3}) == "def"


def test_among_equals_those_that_have_one_keep_it() -> None:
    assert names(held=[KEYS[3], KEYS[5], KEYS[4]]) == "def"
    assert names(held=[KEYS[3], KEYS[5], KEYS[4]], changed={KEYS[0]: 1}) == "ade"


def test_no_more_lose_theirs_at_once_than_may() -> None:
    held, changed = [KEYS[0], KEYS[1], KEYS[2]], {KEYS[3]: 1, KEYS[4]: 2, KEYS[5]: 3}
    assert names(held=held, changed=changed) == "def"
    assert names(held=held, changed=changed, swaps=1) == "abf"
    assert names(held=held, changed=changed, swaps=0) == "abc"
    assert names(held=held, changed=changed, swaps=0, in_use=lambda key: key.name in "ad") == "abd"
    # Where there is less room than before, some lose theirs all the same; what is free may always be taken.
    assert names(held=held, changed=changed, swaps=0, budget=2) == "ab"
    assert names(held=held[:1], changed=changed, swaps=0) == "aef"


def test_a_fifth_is_for_queries_that_were_given_up() -> None:
    assert shared(149, 149, 0) == (149, 0)
    assert shared(150, 149, 0) == (120, 29)
    assert shared(150, 149, 20) == (120, 9)
    assert shared(150, 149, 40) == (120, 0)
    assert shared(10, 1, 0) == (1, 1)
    assert shared(10, 1, 1) == (1, 0)
