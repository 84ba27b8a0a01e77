"""`sampan describe`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from sampan.cli import api, columns, completion, instances, kinds, output
from sampan.cli.options import Format, FormatOption, Namespace, ObjectName
from sampan.cli.problem import USAGE, UserError
from sampan.cli.state import State
from sampan.model.printable import one_line

Item = Mapping[str, Any]


KindWord = Annotated[
    str,
    typer.Argument(metavar="KIND", help="Such as httproute, gtw, svc.", autocompletion=completion.kind_words),
]


def command(
    kind: KindWord,
    name: ObjectName = "",
    namespace: Namespace = "default",
    form: FormatOption = Format.TEXT,
    state: State = "",
) -> None:
    """Show all that is known of an object.

    Its conditions, its mistakes, the policies in force and where each value comes from, routes, backends; of a Service
    also the registered instances with their state and why.
    """
    if "/" in kind and not name:
        kind, _, name = kind.partition("/")
    if not name:
        raise UserError("which one? A name is missing", f"`sampan get {kind}` lists them", exit_code=USAGE)
    found = kinds.find(kind)
    described = api.running(state).describe(found.kind, namespace if found.namespaced else "", name)
    if form is Format.TEXT:
        output.say("\n".join(text(described)))
    else:
        output.emit(described, form)


def text(described: Item) -> Iterator[str]:
    """For people, section by section; empty sections are left out."""
    item: Item = described["object"]
    yield from _head(item)
    yield from _section("Spec", _indented(output.as_yaml(item.get("spec") or {})) if item.get("spec") else ())
    yield from _section("Conditions", _conditions(item))
    mistakes = described.get("diagnostics") or ()
    yield from _section("Mistakes", _indented(output.render_diagnostics(mistakes, sys.stdout)) if mistakes else ())
    yield from _section("Policies", _policies(described.get("policies") or ()))
    yield from _section("Routes", _routes(described.get("routes") or ()))
    yield from _section("Backends", _backends(described.get("backends") or ()))
    yield from _section("Instances", _instances(described.get("instances") or ()))


def _head(item: Item) -> Iterator[str]:
    metadata: Item = item["metadata"]
    yield f"Name:         {metadata['name']}"
    if metadata.get("namespace"):
        yield f"Namespace:    {metadata['namespace']}"
    yield f"Kind:         {item['kind']} ({item['apiVersion']})"
    for title, key in (("Labels:", "labels"), ("Annotations:", "annotations")):
        if metadata.get(key):
            yield f"{title:<14}" + one_line(", ".join(f"{name}={value}" for name, value in metadata[key].items()))
    if metadata.get("creationTimestamp"):
        yield f"Created:      {metadata['creationTimestamp']}"
    if metadata.get("generation"):
        yield f"Generation:   {metadata['generation']}"


def _section(title: str, lines: Sequence[str] | Iterator[str]) -> Iterator[str]:
    body = list(lines)
    if body:
        yield ""
        yield output.paint(f"{title}:", output.BOLD, sys.stdout)
        yield from body


def _indented(body: str) -> list[str]:
    return [f"  {line}" for line in body.rstrip("\n").split("\n")]


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return _indented(output.table(headings, rows)) if rows else []


def _conditions(item: Item) -> list[str]:
    found = columns.conditions_of(item)
    several = any(whose for whose, _ in found)
    headings = ["TYPE", "STATUS", "REASON", "SINCE", "MESSAGE"]
    rows = [
        [
            *([whose or item["kind"]] if several else []),
            *(str(condition.get(key) or "") for key in ("type", "status", "reason")),
            _since(condition.get("lastTransitionTime")),
            str(condition.get("message") or "").replace("\n", " "),
        ]
        for whose, condition in found
    ]
    return _table([*(["OF"] if several else []), *headings], rows)


def _since(moment: Any) -> str:
    return columns.age({"metadata": {"creationTimestamp": moment}}) if moment else ""


def _policies(policies: Sequence[Item]) -> list[str]:
    """Which value is in force for which rule, and who said so."""
    rows = [
        [
            *(str(policy.get(key) or "") for key in ("rule", "backend", "kind", "field")),
            value_text(policy.get("value")),
            str(policy.get("origin") or ""),
        ]
        for policy in policies
    ]
    return _table(["RULE", "BACKEND", "POLICY", "FIELD", "VALUE", "FROM"], rows)


def value_text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower() if value is not None else ""
    if isinstance(value, list | tuple):
        return ",".join(map(value_text, value))
    return str(value)


def _routes(routes: Sequence[Any]) -> list[str]:
    """Names, or objects with a name and whatever else is known of them."""
    if not all(isinstance(route, Mapping) for route in routes):
        return [f"  {route}" for route in routes]
    keys = list(dict.fromkeys(key for route in routes for key in route))
    return _table([key.upper() for key in keys], [[value_text(route.get(key)) for key in keys] for route in routes])


def _backends(backends: Sequence[Item]) -> list[str]:
    rows = []
    for backend in backends:
        endpoints = backend.get("endpoints") or ()
        if not endpoints:
            rows.append([str(backend["upstream"]), "no endpoints", "", ""])
        for endpoint in endpoints:
            port = endpoint.get("port")
            address = f"{endpoint['address']}:{port}" if port else str(endpoint["address"])
            rows.append(
                [str(backend["upstream"]), address, str(endpoint.get("weight", "")), str(endpoint.get("state") or "")]
            )
    return _table(["UPSTREAM", "ENDPOINT", "WEIGHT", "STATE"], rows)


def _instances(found: Sequence[Item]) -> list[str]:
    """What a Service's registered instances are and how they are, and below it what each says of itself."""
    lines = _table(instances.HEADINGS, [instances.row(item) for item in found])
    return lines + [f"  {line}" for item in found for line in instances.said(item)]
