"""Reads what is stored and writes steps: in transactions, each of which is done whole or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sampan.cli.stored.plan import Step, in_order
from sampan.consul.client import Client
from sampan.consul.kv import kv_get, kv_put, kv_tree
from sampan.consul.transaction import LARGEST_BODY, Operation, batches, transact
from sampan.consul.wire import Entry
from sampan.model.names import Ref
from sampan.sources.consul.document_keys import DOCUMENTS, key_of

# Few keys are read one by one; for more, all documents in one answer are less work.
_ONE_BY_ONE = 16


@dataclass(frozen=True, slots=True)
class Written:
    """`done` in full; `conflicts` are the documents that somebody else wrote in the meantime, () if all went well."""

    done: tuple[Step, ...]
    conflicts: tuple[Step, ...] = ()


async def stored(client: Client, refs: Sequence[Ref]) -> Mapping[str, Entry]:
    """What is there of these objects, by key."""
    keys = {key_of(ref) for ref in refs}
    if len(keys) <= _ONE_BY_ONE:
        entries = await asyncio.gather(*(kv_get(client, key) for key in keys))
        return {entry.key: entry for entry in entries if entry is not None}
    return {entry.key: entry for entry in (await kv_tree(client, DOCUMENTS)).entries if entry.key in keys}


async def write(client: Client, steps: Sequence[Step]) -> Written:
    """Writes what is to be changed, in order; stops at the first transaction that is refused."""
    by_key = {step.key: step for step in steps}
    operations = [step.operation for step in in_order(steps)]
    done: list[Step] = []
    for batch in batches(operation for operation in operations if operation is not None):
        conflicts = await _write(client, batch)
        if conflicts:
            return Written(tuple(done), tuple(by_key[key] for key in conflicts))
        done += [by_key[operation.key] for operation in batch]
    return Written(tuple(done))


async def _write(client: Client, batch: Sequence[Operation]) -> tuple[str, ...]:
    """The keys that somebody else wrote: nothing was done then."""
    (first, *_) = batch
    if len(batch) == 1 and first.size > LARGEST_BODY:
        # Base64 in JSON makes it too large for a transaction; by itself it is written as it is.
        return () if await kv_put(client, first.key, first.value, cas=first.index) else (first.key,)
    refusals = await transact(client, batch)
    return tuple(batch[refusal.operation].key for refusal in refusals)
