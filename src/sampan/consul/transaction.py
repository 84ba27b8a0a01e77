"""Several keys written together or not at all (`/v1/txn`)."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sampan.consul.client import Client
from sampan.consul.errors import RefusedError
from sampan.consul.wire import path

MOST_OPERATIONS = 64
"""Of one transaction; later versions take 128."""
LARGEST_BODY = 512 * 1024
"""Bytes of one transaction's JSON (Consul's `txn_max_req_len`)."""

Verb = Literal["set", "cas", "delete", "delete-cas", "check-session"]


@dataclass(frozen=True, slots=True)
class Operation:
    """`cas` and `delete-cas` do it only if the key's modify index is still `index` (`cas` with 0: if the key is not
    there); `check-session` lets the transaction through only while `session` holds the key's lock."""

    verb: Verb
    key: str
    value: bytes = field(default=b"", repr=False)
    index: int = 0
    session: str = ""

    @property
    def size(self) -> int:
        """At most so many bytes of the body."""
        return len(self.value) * 4 // 3 + 2 * len(self.key.encode()) + 160

    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = {"Verb": self.verb, "Key": self.key}
        if self.verb in ("set", "cas"):
            found["Value"] = base64.b64encode(self.value).decode()
        if self.verb in ("cas", "delete-cas"):
            found["Index"] = self.index
        if self.session:
            found["Session"] = self.session
        return {"KV": found}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing of a transaction was done: `operation` counts from 0, `what` is Consul's own text."""

    operation: int
    what: str

    @property
    def is_stale(self) -> bool:
        """Somebody else wrote the key first."""
        return "is stale" in self.what


def batches(operations: Iterable[Operation], first: Operation | None = None) -> Iterator[tuple[Operation, ...]]:
    """Transactions that Consul takes, in the order given, each beginning with `first`."""
    start = [first] if first is not None else []
    batch, size = list(start), sum(operation.size for operation in start)
    for operation in operations:
        full = len(batch) == MOST_OPERATIONS or size + operation.size > LARGEST_BODY
        if full and len(batch) > len(start):
            yield tuple(batch)
            batch, size = list(start), sum(before.size for before in start)
        batch.append(operation)
        size += operation.size
    if len(batch) > len(start):
        yield tuple(batch)


async def transact(client: Client, operations: Sequence[Operation]) -> tuple[Refusal, ...]:
    """() if all was done. What the token does not permit raises RefusedError, as everywhere."""
    try:
        await client.put(path("txn"), [operation.body() for operation in operations])
    except RefusedError as error:
        found = _refusals(error.text)
        if error.status != 409 or not found:
            raise
        denied = next((item.what for item in found if "Permission denied" in item.what), "")
        if denied:
            raise RefusedError(error.method, error.path, 403, denied) from None
        return found
    return ()


# The client writes the ends of lines as `\n`.
_REFUSAL = re.compile(r'"OpIndex":\s*(\d+),(?:\s|\\n)*"What":\s*"((?:[^"\\]|\\.)*)')


def _refusals(text: str) -> tuple[Refusal, ...]:
    """By pattern and not as JSON: the end of a long text may be missing."""
    return tuple(Refusal(int(number), what.replace('\\"', '"')) for number, what in _REFUSAL.findall(text))
