"""How answers are said: many entries some at a time, and yet as one."""

from __future__ import annotations

import asyncio
import json

import pytest

from sampan.registry.api.answer import AT_ONCE, encode, encoded


@pytest.mark.parametrize("number", [0, 1, AT_ONCE, AT_ONCE + 1, 5 * AT_ONCE])
@pytest.mark.parametrize("pretty", [False, True])
def test_many_entries_are_said_as_few(number: int, pretty: bool) -> None:
    entries = [{"Node": f"node {one}", "Port": one} for one in range(number)]
    by_name = {entry["Node"]: entry for entry in entries}
    for value in (entries, by_name):
        assert asyncio.run(encoded(value, pretty=pretty)) == encode(value, pretty=pretty)


def test_others_are_answered_in_between() -> None:
    async def run() -> list[str]:
        turns: list[str] = []
        saying = asyncio.create_task(encoded([{"Port": one} for one in range(5 * AT_ONCE)]))
        saying.add_done_callback(lambda _: turns.append("said"))
        for _ in range(3):
            await asyncio.sleep(0)
            turns.append("another")
        assert len(json.loads(await saying)) == 5 * AT_ONCE
        return turns

    assert asyncio.run(run()) == ["another"] * 3 + ["said"]
