"""The table is whole and current, and a GatewayClass claims what the table shows, nothing else."""

from __future__ import annotations

from collections import Counter

import pytest

from sampan.resolve.features import SUPPORTED_FEATURES

from . import table
from .settled import CONTROLLER
from .upstream import CASES, KINDS, WITHOUT_CASE
from .world import World

TESTS = tuple(table.tests())


def test_each_case_has_exactly_one_test() -> None:
    assert Counter(test.case for test in TESTS if test.case) == Counter(list(CASES))


def test_each_feature_without_a_case_has_one_test_at_most() -> None:
    counted = Counter(test.feature for test in TESTS if test.feature)
    assert set(counted) <= set(WITHOUT_CASE)
    assert set(counted.values()) <= {1}


def test_the_page_is_current() -> None:
    assert table.PAGE.read_text() == table.page(), "python -m tests.conformance.table --write"


def shown() -> set[str]:
    """The features all of whose cases pass, and those without a case that a test of ours shows."""
    failing = {test.case for test in TESTS if test.failing}
    every = {feature for features in CASES.values() for feature in features}
    spoilt = {feature for case in failing for feature in CASES[case]}
    assert not [case for case in failing if not CASES[case]], "a core case fails: its kind may not be claimed"
    return set(KINDS) | (every - spoilt) | {test.feature for test in TESTS if test.feature and not test.failing}


def test_what_is_claimed_is_what_is_shown() -> None:
    assert sorted(SUPPORTED_FEATURES) == sorted(shown())


@pytest.mark.envoy
def test_the_class_says_so(world: World) -> None:
    def pick(status: dict[str, list[dict[str, object]]]) -> list[list[dict[str, object]]]:
        return [status["conditions"]] if status.get("conditions") else []

    world.until_condition("GatewayClass", "", "sampan", pick, ("Accepted", "True", "Accepted"))
    found = world.object("GatewayClass", "", "sampan")
    assert found["spec"]["controllerName"] == CONTROLLER
    assert [item["name"] for item in found["status"]["supportedFeatures"]] == sorted(shown())
