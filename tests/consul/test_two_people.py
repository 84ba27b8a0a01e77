"""Many people who apply the same documents at once: every change that was acknowledged is there, whole."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

from sampan.cli.stored.plan import to_apply
from sampan.cli.stored.write import stored, write
from sampan.consul.client import Client
from sampan.consul.target import Target
from sampan.consul.wire import Entry
from sampan.documents.kinds.built_in import BUILT_IN
from sampan.documents.load import load
from sampan.model.names import CORE, Ref

from ..consul_binary import Agent
from .either import agent

__all__ = ["agent"]

PEOPLE, ROUNDS = 6, 8
REFS = [Ref(CORE, "ConfigMap", "default", name) for name in ("a", "b", "c")]
NOW = "2026-01-01T00:00:00Z"


def _documents(number: int) -> str:
    """All three count together."""
    return "---\n".join(
        f'apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {ref.name}}}\ndata: {{count: "{number}"}}\n'
        for ref in REFS
    )


def _counts(there: Mapping[str, Entry]) -> list[int]:
    found = [re.search(rb'count: "(\d+)"', entry.value) for _, entry in sorted(there.items())]
    return [int(item[1]) for item in found if item is not None]


def test_every_acknowledged_change_is_there(agent: Agent) -> None:
    async def person(client: Client) -> int:
        """Reads, adds one, writes; again if somebody else was faster. How often it was acknowledged."""
        done = 0
        while done < ROUNDS:
            there = await stored(client, REFS)
            counts = _counts(there)
            # Read one by one, they may be of two moments; the transaction is refused then.
            documents = load(_documents(counts[0] + 1 if counts else 1), "x.yaml", BUILT_IN).documents
            steps, mistakes = to_apply(documents, there, NOW)
            assert mistakes == ()
            written = await write(client, steps)
            assert not (written.done and written.conflicts)
            done += bool(written.done)
        return done

    async def main() -> None:
        async with Client(Target(agent.url)) as client:
            await client.delete("/v1/kv/sampan/", {"recurse": "true"})
            async with asyncio.timeout(60):
                done = await asyncio.gather(*(person(client) for _ in range(PEOPLE)))
            there = await stored(client, REFS)
            assert _counts(there) == [sum(done)] * 3
            # The first created it with generation 1, each other one raised it.
            assert {re.search(rb"generation.*?(\d+)", entry.value)[1] for entry in there.values()} == {
                b"%d" % sum(done)
            }  # type: ignore[index]
            assert {re.search(rb'Timestamp[": ]*([^"]+)', entry.value)[1] for entry in there.values()} == {NOW.encode()}  # type: ignore[index]

    asyncio.run(main())
