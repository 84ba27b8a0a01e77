"""The source fed by hand."""

from __future__ import annotations

import asyncio

from sampan.documents.kinds.built_in import BUILT_IN
from sampan.sources.memory import Memory
from sampan.sources.source import Records, Source

from ... import registered

TEXT = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n"


def test_everything_first_and_then_what_changes() -> None:
    async def main() -> list[Records]:
        memory = Memory(BUILT_IN)
        source: Source = memory
        memory.put("k", TEXT)
        said: list[Records] = []
        started = asyncio.Event()

        def emit(records: Records) -> None:
            said.append(records)
            started.set()

        async with asyncio.TaskGroup() as group:
            task = group.create_task(source.run(emit))
            await started.wait()
            memory.put("k", TEXT + "---\n" + TEXT.replace("a}", "b}"))
            memory.say("i", registered.registered("shop"))
            memory.remove("k")
            memory.remove("k")
            task.cancel()
        memory.put("k", TEXT)
        return said

    first, second, made, third = asyncio.run(main())
    assert (first.source, first.whole, list(first.changed)) == ("memory", True, ["k"])
    assert second.changed["k"].objects[0] is first.changed["k"].objects[0]
    assert len(second.changed["k"].objects) == 2
    assert [item.ref.name for item in made.changed["i"].objects] == ["shop", "shop@consul"]
    assert third.removed == {"k"}
