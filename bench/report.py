"""What a measurement says: a table, its targets and whether they were met, and the same as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bench import machine

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Target:
    """`measured` against `limit`: at most, or at least."""

    what: str
    measured: float
    limit: float
    unit: str = ""
    sense: Literal["at most", "at least"] = "at most"

    @property
    def met(self) -> bool:
        """A figure that is not a number meets nothing."""
        return self.measured <= self.limit if self.sense == "at most" else self.measured >= self.limit

    def __str__(self) -> str:
        sign = "≤" if self.sense == "at most" else "≥"
        verdict = "met" if self.met else "NOT MET"
        return f"{verdict:>7}  {self.what}: {number(self.measured)} {self.unit} ({sign} {number(self.limit)})".rstrip()


@dataclass(slots=True)
class Report:
    """`headings` and `rows` are for people, `data` for the JSON; `notes` say how it was measured."""

    name: str
    title: str
    headings: Sequence[str]
    rows: list[Sequence[object]] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    quick: bool = False
    began: float = field(default_factory=time.time)
    facts: dict[str, Any] = field(default_factory=machine.facts)

    @property
    def met(self) -> bool:
        return all(target.met for target in self.targets)

    def text(self) -> str:
        lines = [f"{self.title}{' (quick)' if self.quick else ''}", machine.sentence(self.facts), ""]
        lines += table(self.headings, self.rows)
        lines += ["", *self.notes] if self.notes else []
        lines += ["", *map(str, self.targets)] if self.targets else []
        return "\n".join(lines)

    def json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "title": self.title,
            "quick": self.quick,
            "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.began)),
            "seconds": round(time.time() - self.began, 1),
            "machine": self.facts,
            "table": {"headings": list(self.headings), "rows": [[cell(value) for value in row] for row in self.rows]},
            "targets": [
                {
                    "what": target.what,
                    "measured": round(target.measured, 4),
                    target.sense: target.limit,
                    "unit": target.unit,
                    "met": target.met,
                }
                for target in self.targets
            ],
            "notes": self.notes,
            "data": self.data,
        }

    def save(self) -> Path:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{self.name}.json"
        path.write_text(json.dumps(self.json(), indent=1, ensure_ascii=False) + "\n")
        return path


def number(value: float) -> str:
    if isinstance(value, int) or value == int(value if value == value and abs(value) < 1e15 else 0):
        return f"{value:,.0f}" if value == value else "unknown"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"


def cell(value: object) -> str:
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Columns as wide as their widest cell; numbers to the right."""
    shown = [[cell(value) for value in row] for row in rows]
    widths = [max(len(text) for text in column) for column in zip(headings, *shown, strict=True)]
    numeric = [all(isinstance(row[index], int | float) for row in rows) for index in range(len(headings))]

    def line(cells: Sequence[str]) -> str:
        padded = (
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(cells, widths, numeric, strict=True)
        )
        return "  ".join(padded).rstrip()

    return [line(headings), line(["-" * width for width in widths]), *map(line, shown)]
