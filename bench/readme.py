"""Puts the saved results into `README.md`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import machine
from bench.report import RESULTS, number

README = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- results -->\n", "<!-- /results -->\n"


def fill(names: tuple[str, ...]) -> list[str]:
    """Writes the tables of those measurements that have a result; gives their names."""
    found = {name: json.loads(path.read_text()) for name in names if (path := RESULTS / f"{name}.json").exists()}
    text = "".join(
        f"\n{line}" if line.startswith("###") else line for result in found.values() for line in _lines(result)
    )
    before, _, rest = README.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(before + BEGIN + text + "\n" + END + after)
    return list(found)


def _lines(result: dict[str, Any]) -> Iterator[str]:
    headings, rows = result["table"]["headings"], result["table"]["rows"]
    quick = " (quick: not figures to keep)" if result["quick"] else ""
    yield f"### {result['name']}\n\n{result['title']}{quick}. {result['when']}, {result['seconds']:.0f} s.\n\n"
    yield f"{machine.sentence(result['machine'])}.\n\n"
    yield "| " + " | ".join(headings) + " |\n"
    yield "|" + "---|" * len(headings) + "\n"
    for row in rows:
        yield "| " + " | ".join(row) + " |\n"
    yield "\n"
    for target in result["targets"]:
        sense = "at most" if "at most" in target else "at least"
        verdict = "met" if target["met"] else "**not met**"
        figure = f"{number(target['measured'])} {target['unit']}".strip()
        yield f"- {target['what']}: {figure} ({sense} {number(target[sense])}): {verdict}\n"
    yield "\n"
    for note in result["notes"]:
        yield f"{note}\n"
