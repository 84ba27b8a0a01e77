"""The reference pages: all that there is, and the committed ones as they would be written now."""

from __future__ import annotations

from pathlib import Path

import pytest

from sampan.cli.main import COMMANDS
from sampan.cli.reference import RANGES, pages
from sampan.model.codes import catalogue

FOLDER = Path(__file__).parents[3] / "docs" / "reference"
MADE = pages()


@pytest.mark.parametrize("name", sorted(MADE))
def test_committed_pages_are_current(name: str) -> None:
    """`python -m sampan.cli.reference docs/reference` writes them."""
    assert (FOLDER / name).read_text(encoding="utf-8") == MADE[name]


def test_no_page_is_left_over() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(MADE)


def test_every_code_is_there() -> None:
    assert {code.id[3:5] for code in catalogue()} <= set(RANGES)
    for code in catalogue():
        assert f"| {code.id} | {code.title} | {code.severity} |" in MADE["diagnostics.md"]


def test_every_command_and_policy_is_there() -> None:
    for name in COMMANDS:
        assert f"### sampan {name}\n" in MADE["commands.md"]
    assert "| `-o, --output text\\|json\\|yaml` | text, json or yaml. Default: `text`. |" in MADE["commands.md"]
    assert "| `--strict` | Exit 1 for warnings too. |" in MADE["commands.md"]
    assert {"Timeout.md", "Retry.md"} <= set(MADE)
    assert "src/sampan/policies/retry/README.md" in MADE["Retry.md"]
