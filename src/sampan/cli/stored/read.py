"""Documents and their status straight from the KV, for `sampan get --consul` without a running Sampan."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sampan.cli.stored.given import known_kinds
from sampan.cli.stored.place import ask, choose
from sampan.consul.client import Client
from sampan.consul.kv import kv_tree
from sampan.consul.wire import Entry
from sampan.documents.render import rendered
from sampan.model.diagnostic import record
from sampan.sources.consul.document_keys import DOCUMENTS, STATUS, Scheme, document_key, is_folder
from sampan.sources.consul.document_values import read_value
from sampan.sources.source import CONSUL_KV

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """`items` and `mistakes` are as a running Sampan answers them. Mistakes of reading are found here, those of
    resolving come from the status that a control plane wrote."""

    items: tuple[Item, ...]
    mistakes: tuple[Item, ...]

    def objects(self, kind: str = "", namespace: str = "", name: str = "") -> list[Item]:
        return [
            item
            for item in self.items
            if (not kind or item["kind"] == kind)
            and (not namespace or item["metadata"].get("namespace", "") == namespace)
            and (not name or item["metadata"]["name"] == name)
        ]

    def diagnostics(self) -> list[Item]:
        return list(self.mistakes)


class Store:
    """Answers as `api.Api` does, anew for each question."""

    def __init__(self, consul: str) -> None:
        self._place = choose(consul, "")

    def objects(self, kind: str = "", namespace: str = "", name: str = "") -> list[Item]:
        return ask(self._place, read).objects(kind, namespace, name)

    def diagnostics(self) -> list[Item]:
        return ask(self._place, read).diagnostics()


async def read(client: Client) -> Stored:
    documents = await kv_tree(client, DOCUMENTS)
    statuses = await kv_tree(client, STATUS)
    told = {document_key(entry.key): _told(entry) for entry in statuses.entries}
    items: list[Item] = []
    mistakes: dict[str, Item] = {}
    kinds = known_kinds()
    scheme = Scheme(kinds)
    for entry in documents.entries:
        if is_folder(entry.key):
            continue
        status = told.get(entry.key, {})
        loaded = read_value(entry.key, entry.value, scheme, kinds, CONSUL_KV)
        for item in loaded.objects:
            shown = rendered(item, kinds)
            shown["metadata"]["resourceVersion"] = str(entry.modify_index)
            items.append(shown | ({"status": status["status"]} if status.get("status") else {}))
        for said in (*map(record, loaded.diagnostics), *status.get("diagnostics", ())):
            mistakes.setdefault(json.dumps(said, sort_keys=True), dict(said))
    items.sort(key=lambda item: (item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]))
    return Stored(tuple(items), tuple(_sorted(mistakes)))


def _told(entry: Entry) -> Item:
    """What is no status is none: others may write there."""
    try:
        found = json.loads(entry.value)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _sorted(mistakes: dict[str, Item]) -> Iterator[Item]:
    yield from sorted(mistakes.values(), key=lambda said: (str(said.get("file")), int(said.get("line") or 0)))
