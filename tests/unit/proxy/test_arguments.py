from __future__ import annotations

import pytest

from sampan.proxy import arguments

COMMON = ["--runtime", "/run/sampan"]


def test_companions_are_commands_by_name() -> None:
    given = arguments.parse([*COMMON, "--companion", 'registry=["python", "-m", "a=b"]', "--", "control", "--plane"])
    assert given.companion == [("registry", ["python", "-m", "a=b"])]
    assert given.command == ["control", "--plane"]


def test_without_companions_there_are_none() -> None:
    assert arguments.parse([*COMMON, "--", "control"]).companion == []


@pytest.mark.parametrize(
    "wrong", ["registry", '=["a"]', 'a b=["a"]', "registry=a", 'registry={"a": 1}', "registry=[1]"]
)
def test_a_companion_that_makes_no_sense_is_refused(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        arguments.parse([*COMMON, "--companion", wrong, "--", "control"])
    assert ended.value.code == 2
    assert "--companion" in capsys.readouterr().err
