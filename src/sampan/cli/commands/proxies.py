"""`sampan proxies`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from sampan.cli import api, columns, output
from sampan.cli.options import Format, FormatOption
from sampan.cli.state import State
from sampan.model.printable import one_line

Proxy = Mapping[str, Any]


def command(
    form: FormatOption = Format.TEXT,
    state: State = "",
) -> None:
    """Show the proxies: connected, in sync, or what they refused.

    What Envoy refused is not in force; what it had before is.
    """
    proxies = api.running(state).proxies()
    if form is not Format.TEXT:
        output.emit({"items": proxies}, form)
        return
    if not proxies:
        output.tell("no proxies: no Gateway asks for one")
        return
    headings = ("PROXY", "STATE", "SYNC", "CONNECTED", "PID", "ENVOY")
    output.say(output.table(headings, [_row(proxy) for proxy in proxies]))
    refusals = [line for proxy in proxies for line in _refusals(proxy)]
    if refusals:
        output.say("\n" + "\n".join(refusals))


def sync(proxy: Proxy) -> str:
    """One word for what a proxy has: `in sync`, `refused`, `behind` (what was sent is not yet confirmed), `away`."""
    if not proxy.get("connected"):
        return "away"
    if proxy.get("refused"):
        return "refused"
    types = proxy.get("types") or {}
    return "in sync" if all(entry.get("in_sync") for entry in types.values()) else "behind"


def _row(proxy: Proxy) -> list[str]:
    pid = proxy.get("pid")
    return [
        str(proxy["proxy"]),
        str(proxy.get("state") or ""),
        sync(proxy),
        _since(proxy.get("since")) if proxy.get("connected") else "no",
        str(pid) if pid else "",
        str(proxy.get("envoy") or ""),
    ]


def _since(moment: Any) -> str:
    found = columns.age({"metadata": {"creationTimestamp": moment}})
    return "" if found == "<unknown>" else found


def _refusals(proxy: Proxy) -> list[str]:
    lines = []
    for refusal in proxy.get("refused") or ():
        names = ", ".join(refusal.get("names") or ()) or "all"
        since = _since(refusal.get("since"))
        ago = f", {since} ago" if since else ""
        label = output.paint("refused:", output.RED, sys.stdout)
        lines.append(f"{label} {proxy['proxy']}: {refusal['type']} {names}{ago}")
        lines.append(f"  {one_line(refusal.get('error') or '')}")
    return lines
