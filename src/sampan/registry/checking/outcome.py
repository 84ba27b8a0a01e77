"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass

from sampan.registry.rows import DefinitionRow, Status

# `check_output_max_size`'s default.
LARGEST_OUTPUT = 4096


@dataclass(frozen=True, slots=True)
class Outcome:
    status: Status
    output: str


def passing(output: str) -> Outcome:
    return Outcome("passing", output)


def critical(output: str) -> Outcome:
    return Outcome("critical", output)


def largest_output(definition: DefinitionRow) -> int:
    """A check may have less than the agent's limit, not more."""
    return min(definition.get("OutputMaxSize") or LARGEST_OUTPUT, LARGEST_OUTPUT)
