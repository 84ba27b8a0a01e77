"""Finding the parts at fault, with a pretended Envoy that counts how often it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from sampan.daemon.isolation import Suspect, culprits, mentioned


@dataclass(frozen=True)
class Part:
    key: str
    body: bytes


class Judge:
    """Refuses whatever holds one of `bad`; or any two parts of `pair` together."""

    def __init__(self, bad: set[str], pair: tuple[str, str] | None = None, text: str = "nothing named") -> None:
        self.bad, self.pair, self.text, self.rounds = bad, pair, text, 0

    async def __call__(self, parts: Sequence[Suspect]) -> str | None:
        self.rounds += 1
        keys = {part.key for part in parts}
        if keys & self.bad or (self.pair and set(self.pair) <= keys):
            return self.text
        return None


def parts(count: int) -> list[Part]:
    return [Part(f"p{number}", f"route {number:04d} /path/{number:04d}".encode()) for number in range(count)]


@pytest.mark.parametrize("bad", [{"p0"}, {"p999"}, {"p500"}, {"p3", "p4", "p700"}, set()])
def test_finds_exactly_the_bad_parts(bad: set[str]) -> None:
    judge = Judge(bad)
    assert set(asyncio.run(culprits(parts(1000), judge, "refused"))) == bad


def test_one_in_a_thousand_takes_few_trials() -> None:
    judge = Judge({"p637"})
    asyncio.run(culprits(parts(1000), judge, "missing )"))
    assert judge.rounds <= 20


def test_a_complaint_that_names_the_part_is_believed_after_one_trial() -> None:
    judge = Judge({"p637"}, text="bad pattern '/path/0637'")
    found = asyncio.run(culprits(parts(1000), judge, judge.text))
    assert found == {"p637": judge.text}
    assert judge.rounds == 2


def test_two_parts_that_only_clash_together_lose_the_later_one() -> None:
    judge = Judge(set(), pair=("p10", "p20"))
    assert set(asyncio.run(culprits(parts(50), judge, "clash"))) == {"p20"}


def test_a_word_that_many_parts_hold_names_nobody() -> None:
    assert mentioned(parts(100), "route is bad") == []
