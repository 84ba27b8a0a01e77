"""Small Plans for tests, made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sampan.model.names import Ref
from sampan.model.plan import (
    Action,
    Chain,
    Entry,
    Forward,
    Host,
    HttpApplication,
    Match,
    PathMatch,
    Plan,
    RuleOrigin,
    Share,
    Socket,
    Upstream,
    View,
)

GATEWAY = Ref("gateway.networking.k8s.io", "Gateway", "default", "web")


def route_ref(name: str) -> Ref:
    return Ref("gateway.networking.k8s.io", "HTTPRoute", "default", name)


def action(name: str, *shares: Share, **changes: Any) -> Action:
    return Action(name, RuleOrigin(route_ref(name), 0), shares or (Share(1, Forward("a")),), **changes)


def entry(name: str, **changes: Any) -> Entry:
    """Everything under `/name` to the upstream `a`."""
    return Entry(Match(PathMatch("prefix", f"/{name}")), action(name, **changes))


def upstream(name: str) -> Upstream:
    return Upstream(name, Ref("", "Service", "default", name), 80, name)


def plan(*hosts: Host, **changes: Any) -> Plan:
    application = HttpApplication("http/80", hosts)
    sockets = (Socket("port/80", 80, (Chain("http/80", application),)),)
    base = Plan(View(GATEWAY), sockets, {"a": upstream("a"), "b": upstream("b")})
    return replace(base, **changes)


def one_host(*entries: Entry, **changes: Any) -> Plan:
    return plan(Host("any", "*", entries), **changes)
