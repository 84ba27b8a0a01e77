"""`sampan get`."""

from __future__ import annotations

import sys
import time
from typing import Annotated, Any, Protocol

import typer

from sampan.cli import api, columns, completion, kinds, output
from sampan.cli.options import Namespace, ObjectName, View
from sampan.cli.problem import USAGE, UserError
from sampan.cli.state import State

MISTAKES = ("diagnostics", "diagnostic", "mistakes")
WATCH_SECONDS = 1.0
Item = dict[str, Any]


class Answers(Protocol):
    """Who knows the objects: the running Sampan, or the KV itself."""

    def objects(self, kind: str = "", namespace: str = "", name: str = "") -> list[Item]: ...
    def diagnostics(self) -> list[Item]: ...


KindWord = Annotated[
    str,
    typer.Argument(
        metavar="KIND",
        help="Such as httproutes, gtw, svc; `all`; or `diagnostics`.",
        autocompletion=completion.kind_words,
    ),
]
Everywhere = Annotated[bool, typer.Option("-A", "--all-namespaces", help="All namespaces.")]
ViewOption = Annotated[View, typer.Option("-o", "--output", help="table, wide, json, yaml or name.")]
Watch = Annotated[bool, typer.Option("-w", "--watch", help="Go on, and print what changes.")]
Consul = Annotated[
    str,
    typer.Option(
        "--consul",
        metavar="URL",
        show_default=False,
        help="Straight from the KV of the Consul or registry there; no Sampan needs to run here.",
    ),
]


def command(
    kind: KindWord,
    name: ObjectName = "",
    namespace: Namespace = "default",
    everywhere: Everywhere = False,
    view: ViewOption = View.TABLE,
    watch: Watch = False,
    consul: Consul = "",
    state: State = "",
) -> None:
    """List the objects of a kind with their status."""
    running = _answers(consul, state)
    if kind.lower() in MISTAKES:
        _mistakes(running, view)
        return
    if "/" in kind and not name:
        kind, _, name = kind.partition("/")
    found = None if kind.lower() == kinds.ALL else kinds.find(kind)
    if found is None and name:
        raise UserError("`all` takes no name", "name a kind: `sampan get httproute NAME`", exit_code=USAGE)

    def fetch() -> list[Item]:
        within = "" if everywhere or (found is not None and not found.namespaced) else namespace
        return running.objects(found.kind if found else "", within, name)

    items = fetch()
    if name and not items:
        where = f" in namespace {namespace}" if found and found.namespaced and not everywhere else ""
        raise UserError(
            f"there is no {found.singular if found else ''} {name!r}{where}", f"`sampan get {kind} -A` lists all"
        )
    _show(items, found, view, everywhere, single=bool(name) and not everywhere)
    if not items and not watch:
        somewhere = everywhere or (found is not None and not found.namespaced)
        output.tell("nothing found" if somewhere else f"nothing found in namespace {namespace}")
    if watch:
        _follow(fetch, items, found, view, everywhere)


def _answers(consul: str, state: str) -> Answers:
    if not consul:
        return api.running(state)
    from sampan.cli.stored.read import Store

    return Store(consul)


def _mistakes(running: Answers, view: View) -> None:
    records = running.diagnostics()
    if view in (View.JSON, View.YAML):
        output.emit({"items": records}, view)
    elif records:
        output.say(output.render_diagnostics(records, sys.stdout))
    else:
        output.tell("no mistakes in the documents")


def _show(items: list[Item], found: kinds.KindName | None, view: View, everywhere: bool, *, single: bool) -> None:
    if view in (View.JSON, View.YAML):
        whole = items[0] if single else {"apiVersion": "v1", "kind": "List", "items": items}
        output.emit(whole, view)
    elif view is View.NAME:
        output.say("".join(f"{qualified_name(item)}\n" for item in items))
    elif found is not None:
        if items:
            output.say(_table(items, found.kind, view, everywhere))
    else:
        output.say("\n\n".join(_sections(items, view, everywhere)))


def _sections(items: list[Item], view: View, everywhere: bool) -> list[str]:
    """A table for each kind, names with their kind before them, as `kubectl get all` has it."""
    by_kind: dict[str, list[Item]] = {kind.kind: [] for kind in kinds.KINDS}
    for item in items:
        named = {**item, "metadata": {**item["metadata"], "name": qualified_name(item)}}
        by_kind.setdefault(str(item["kind"]), []).append(named)
    return [_table(members, kind, view, everywhere) for kind, members in by_kind.items() if members]


def _table(items: list[Item], kind: str, view: View, everywhere: bool) -> str:
    chosen = columns.columns(kind, items, wide=view is View.WIDE, namespaces=everywhere)
    return output.table([column.heading for column in chosen], columns.rows(items, chosen))


def qualified_name(item: Item) -> str:
    """`httproute/shop`."""
    return f"{str(item['kind']).lower()}/{item['metadata']['name']}"


def _follow(fetch: Any, items: list[Item], found: kinds.KindName | None, view: View, everywhere: bool) -> None:
    """Prints what changed since the last look, once a second, until Ctrl-C. Objects that went are told on stderr."""
    seen = {_key(item): item for item in items}
    while True:
        time.sleep(WATCH_SECONDS)
        now = {_key(item): item for item in fetch()}
        for key in seen.keys() - now.keys():
            output.tell(f"{'/'.join(part for part in key if part)} is gone")
        changed = [item for key, item in now.items() if seen.get(key) != item]
        if changed:
            _show(changed, found, view, everywhere, single=False)
        seen = now


def _key(item: Item) -> tuple[str, str, str]:
    return (str(item["kind"]), str(item["metadata"].get("namespace") or ""), str(item["metadata"]["name"]))
