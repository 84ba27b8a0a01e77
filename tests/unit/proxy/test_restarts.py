from __future__ import annotations

import pytest

from sampan.proxy.restarts import CONTROL, ENVOY, History, Liveness, ends_everything


def test_deaths_in_a_row_are_answered_ever_more_slowly() -> None:
    history, delays = History(), []
    for _ in range(7):
        history, delay = history.after_death(ENVOY, well_for=0.1)
        delays.append(delay)
    assert delays == [0.0, 0.2, 0.5, 1.0, 2.0, 5.0, 5.0]


def test_who_was_well_for_long_enough_starts_again_at_once() -> None:
    history, delay = History(deaths=5).after_death(CONTROL, well_for=10.0)
    assert delay == 0.0
    _, delay = history.after_death(CONTROL, well_for=9.9)
    assert delay == 0.5


@pytest.mark.parametrize(
    ("status", "ever_ready", "ends"),
    [(0, False, True), (2, False, True), (1, False, False), (-9, False, False), (0, True, False), (2, True, False)],
)
def test_only_a_first_exit_with_0_or_2_ends_everything(status: int, ever_ready: bool, ends: bool) -> None:
    assert ends_everything(status, ever_ready) is ends


def test_silence_after_ready_is_hanging_and_before_it_is_starting() -> None:
    assert not Liveness().hung(1000.0, 10.0)
    alive = Liveness().ready(100.0).beat(105.0)
    assert not alive.hung(114.9, 10.0)
    assert alive.hung(115.0, 10.0)


def test_our_own_pause_is_not_the_other_sides_silence() -> None:
    alive = Liveness().ready(100.0).tick(100.0, 0.25).tick(100.25, 0.25)
    woken = alive.tick(160.0, 0.25)
    assert not woken.hung(160.0, 10.0)
    assert woken.hung(170.0, 10.0)


def test_it_is_available_while_it_beats_on_its_connection() -> None:
    alive = Liveness().ready(100.0)
    assert alive.available(101.9, 2.0)
    assert not alive.available(102.0, 2.0)
    assert not alive.disconnected().available(100.1, 2.0)
    assert not Liveness().beat(100.0).available(100.0, 2.0)


def test_it_was_well_since_it_was_ready_however_often_it_says_so() -> None:
    assert Liveness().well_for(50.0) == 0.0
    assert Liveness().ready(100.0).ready(105.0).well_for(110.0) == 10.0
