"""Deadlines: told when they are over, once, whatever moved them."""

from __future__ import annotations

import random

from sampan.registry.deadlines import Deadlines


def test_each_is_told_when_it_is_over_and_never_before() -> None:
    """Against the plain way: a dictionary that is looked through."""
    now, dice, plain = 0.0, random.Random(7), {}
    deadlines = Deadlines(lambda: now)
    for _ in range(5000):
        name, seconds = f"n{dice.randrange(50)}", dice.uniform(0.1, 5)
        if dice.random() < 0.7:
            plain[name] = now + seconds
            deadlines.put(name, seconds)
        else:
            now += dice.uniform(0, 1)
            expected = {name for name, at in plain.items() if at <= now}
            assert sorted(deadlines.due()) == sorted(expected)
            plain = {name: at for name, at in plain.items() if at > now}
            left = deadlines.left()
            if plain:
                assert left is not None
                assert left <= min(plain.values()) - now + 1e-9
    assert len(deadlines) == len(plain)


def test_whoever_waits_is_told_of_an_earlier_one_alone() -> None:
    now, moved = 0.0, []
    deadlines = Deadlines(lambda: now)
    deadlines.moved = lambda: moved.append(deadlines.left())
    deadlines.put("a", 10)
    deadlines.put("a", 20)
    deadlines.put("a", 5)
    assert moved == [10, 5]


def test_the_rest_is_forgotten() -> None:
    deadlines = Deadlines(lambda: 0.0)
    for number in range(10):
        deadlines.put(f"n{number}", number)
    deadlines.keep({"n3", "n4"})
    assert (len(deadlines), deadlines.left()) == (2, 3)
