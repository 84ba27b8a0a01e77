"""All checks in one state, from one blocking query: whose health changed. Pure.

In a healthy fleet the answers for `critical` and `warning` are small, so one connection each notices at once what
thousands of blocking queries would.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sampan.consul.errors import GarbageError

STATES = ("critical", "warning")

CheckKey = tuple[str, str]
"""(node, id of the check)."""


@dataclass(frozen=True, slots=True)
class Affected:
    """`services` by name; `nodes` where a check of the node itself changed, so of every service on it."""

    services: frozenset[str] = frozenset()
    nodes: frozenset[str] = frozenset()


def checks(body: Any) -> dict[CheckKey, str]:
    """The checks of an answer of `/v1/health/state/STATE` and the services they are of, "" for a node's own."""
    if not isinstance(body, list):
        raise GarbageError("the list of checks is none")
    try:
        return {(str(item["Node"]), str(item["CheckID"])): str(item.get("ServiceName") or "") for item in body}
    except (KeyError, TypeError, AttributeError):
        raise GarbageError("a check that cannot be read") from None


def affected(before: Mapping[CheckKey, str], now: Mapping[CheckKey, str]) -> Affected:
    """What came into the state, or left it."""
    services, nodes = set(), set()
    for (node, _), service in _difference(before, now):
        if service:
            services.add(service)
        else:
            nodes.add(node)
    return Affected(frozenset(services), frozenset(nodes))


def _difference(before: Mapping[CheckKey, str], now: Mapping[CheckKey, str]) -> Iterator[tuple[CheckKey, str]]:
    for key in before.keys() ^ now.keys():
        yield key, now.get(key, "") or before.get(key, "")
