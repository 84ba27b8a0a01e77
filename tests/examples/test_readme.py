"""The README's tour: every document is put where it says, every command is run, every output is compared."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from .conftest import EXAMPLES, ROOT, SAMPAN, Stage

README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ECHO = re.compile(r"python3 examples/echo.py (\d+) (\S+) &")


@dataclass(frozen=True)
class Command:
    """`expected` is the output shown below it; "" if none is shown."""

    line: str
    expected: str


def commands(block: str) -> Iterator[Command]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        line, output = re.fullmatch(r"((?:[^\n]*\\\n)*[^\n]*)\n?(.*)", part, re.DOTALL).groups()  # type: ignore[union-attr]
        yield Command(line, output)


def comparable(text: str, stage: Stage) -> list[str]:
    """Lines with the README's ports, and without what differs from run to run: ages, pids, how wide columns are."""
    for shown, real in stage.ports.items():
        text = text.replace(str(real), str(shown))
    text = text.replace("0.0.0.0", "127.0.0.1")
    text = re.sub(r"\S+ +\d+ +(\d+\.\d+\.\d+)$", r"SINCE PID \1", text, flags=re.MULTILINE)
    return [" ".join(line.split()) for line in text.strip().splitlines()]


def said(command: Command, stage: Stage) -> list[str]:
    line = stage.placed(command.line).replace("sampan ", " ".join(SAMPAN) + " ", 1)
    done = subprocess.run(
        ["sh", "-c", line], cwd=stage.folder, env=stage.environment, capture_output=True, text=True, timeout=60
    )
    return comparable(done.stdout + done.stderr, stage)


@pytest.mark.envoy
@pytest.mark.shell
def test_the_tour_is_true(stage: Stage) -> None:
    tour = README[README.index("## A gateway of your own") :]
    for port, name in ECHO.findall(tour):
        stage.echo(int(port), name)
    for language, name, body in BLOCK.findall(tour):
        if language == "yaml":
            stage.write(name, body)
        for command in commands(body) if language == "console" else ():
            if ECHO.fullmatch(command.line):
                continue
            if command.line.startswith("sampan up -f "):
                stage.up(stage.folder / command.line.removeprefix("sampan up -f "))
            else:
                follow(command, stage)


def follow(command: Command, stage: Stage) -> None:
    """Runs a command until it says what is written: what was saved takes a moment to be in force."""
    wanted = comparable(command.expected, stage)
    found: list[str] = []

    def right() -> bool:
        found[:] = said(command, stage)
        return found == wanted or not wanted

    try:
        stage.until(right)
    except AssertionError:
        assert found == wanted, command.line
        raise


def test_every_block_is_looked_at() -> None:
    languages = {language for language, _, _ in BLOCK.findall(README)}
    assert languages == {"text", "sh", "yaml", "console"}
    assert all(name for language, name, _ in BLOCK.findall(README) if language == "yaml")


def test_what_it_points_to_is_there() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", EXAMPLES / "README.md", *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_python_is_the_version_that_it_names() -> None:
    """The README's first words to a newcomer."""
    needed = re.search(r"Python (\d+)\.(\d+) or newer", README)
    assert needed is not None
    assert f'requires-python = ">={needed[1]}.{needed[2]}"' in (ROOT / "pyproject.toml").read_text()
    assert sys.version_info >= (int(needed[1]), int(needed[2]))
