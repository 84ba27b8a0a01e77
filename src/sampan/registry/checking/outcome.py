"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass

from sampan.registry.rows import Status


@dataclass(frozen=True, slots=True)
class Outcome:
    status: Status
    output: str


def passing(output: str) -> Outcome:
    return Outcome("passing", output)


def critical(output: str) -> Outcome:
    return Outcome("critical", output)
