"""What goes over the wire: paths, header names, answers, and entries of the KV store. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from sampan.consul.errors import GarbageError

# As Go writes them: the first letter of each word.
INDEX = "X-Consul-Index"
INDEX_QUERY = "index"
KNOWN_LEADER = "X-Consul-Knownleader"
TOKEN = "X-Consul-Token"
NAMESPACE = "X-Consul-Namespace"
FILTERED = "X-Consul-Results-Filtered-By-Acls"
"""`true` where the token hid some of what there is (Consul 1.11 and later)."""
RETRY_AFTER = "Retry-After"

LARGEST_VALUE = 512 * 1024
"""Bytes of a value in the KV store (Consul's `kv_max_value_size`)."""

Query = Mapping[str, str | Sequence[str]]
NO_QUERY: Query = {}


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `index` is 0 where the server sent none; `body` is what the JSON says, None if there is none.

    A 404 is an answer, not an error: that is how Consul says that a key is not there, with an index to wait on.
    """

    status: int
    index: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def found(self) -> bool:
        return self.status != 404


def path(*parts: str) -> str:
    """`/v1/health/service/my%20name`: each part is one segment, whatever characters it has."""
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def key_path(key: str) -> str:
    """The path of a key of the KV store; its slashes are slashes."""
    return "/v1/kv/" + quote(key, safe="/")


def query_text(query: Query) -> str:
    """`a=1&tag=x&tag=y`."""
    return urlencode([(name, value) for name, given in query.items() for value in _values(given)])


def _values(given: str | Sequence[str]) -> Sequence[str]:
    return [given] if isinstance(given, str) else given


def index_of(headers: Mapping[str, str]) -> int:
    """The index of an answer, 0 where there is none that counts."""
    text = headers.get(INDEX, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of the KV store. `session` holds its lock, if any does."""

    key: str
    value: bytes = field(repr=False)
    modify_index: int = 0
    create_index: int = 0
    lock_index: int = 0
    flags: int = 0
    session: str = ""


def entries(answer: Answer) -> tuple[Entry, ...]:
    """The keys of an answer to a read of the KV store, in the order of their names."""
    return Decoder().entries(answer)


class Decoder:
    """Entries of one answer after another: what is the same in the next answer is the same Entry, and costs nothing."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[dict[str, Any], Entry]] = {}

    def entries(self, answer: Answer) -> tuple[Entry, ...]:
        if not answer.found or answer.body is None:
            items: list[Any] = []
        elif isinstance(answer.body, list):
            items = answer.body
        else:
            raise GarbageError("the KV store answered something that is no list of keys")
        known: dict[str, tuple[dict[str, Any], Entry]] = {}
        for item in items:
            key = item.get("Key") if isinstance(item, dict) else None
            before = self._known.get(key) if isinstance(key, str) else None
            entry = before[1] if before is not None and before[0] == item else _entry(item)
            known[entry.key] = (item, entry)
        self._known = known
        return tuple(entry for _, (_, entry) in sorted(known.items()))


def _entry(item: Any) -> Entry:
    try:
        return Entry(
            str(item["Key"]),
            base64.b64decode(item["Value"] or "", validate=True),
            int(item.get("ModifyIndex", 0)),
            int(item.get("CreateIndex", 0)),
            int(item.get("LockIndex", 0)),
            int(item.get("Flags", 0)),
            str(item.get("Session") or ""),
        )
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
        raise GarbageError(f"the KV store answered a key that cannot be read ({error!r})") from None
