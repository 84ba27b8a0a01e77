"""What a session is, and what may be asked of one: Consul's defaults and limits (session_endpoint.go, structs.go)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NotRequired, TypedDict
from uuid import uuid4

from sampan.consul.durations import parse_duration
from sampan.registry.rows import SERF_HEALTH

DEFAULT_LOCK_DELAY = 15_000_000_000
SHORTEST, LONGEST = 10.0, 24 * 3600.0


class SessionError(Exception):
    """Refused; the text is Consul's."""


class ServiceCheck(TypedDict):
    ID: str
    Namespace: str


class SessionRow(TypedDict):
    """`/v1/session/info/…[]`. LockDelay in nanoseconds."""

    ID: str
    Name: str
    Node: str
    LockDelay: int
    Behavior: str
    TTL: str
    NodeChecks: list[str] | None
    ServiceChecks: list[ServiceCheck] | None
    Checks: NotRequired[list[str]]
    CreateIndex: int
    ModifyIndex: int


class Wanted(TypedDict, total=False):
    """What a client asks for; what is absent has its default."""

    Name: str
    Node: str
    LockDelay: int
    Behavior: str
    TTL: str
    NodeChecks: list[str] | None
    ServiceChecks: list[ServiceCheck] | None
    Checks: list[str] | None


def made(wanted: Wanted, own_node: str, index: int) -> SessionRow:
    """Whether its node and its checks are there is not looked at. Raises SessionError."""
    node = wanted.get("Node", own_node)
    behavior = wanted.get("Behavior") or "release"
    if not node:
        raise SessionError("Must provide Node")
    if behavior not in ("release", "delete"):
        raise SessionError(f"Invalid Behavior setting '{behavior}'")
    _check_ttl(wanted.get("TTL", ""))
    node_checks, checks = _fixed(wanted)
    head = SessionRow(
        ID=str(uuid4()),
        Name=wanted.get("Name", ""),
        Node=node,
        LockDelay=wanted.get("LockDelay", DEFAULT_LOCK_DELAY),
        Behavior=behavior,
        TTL=wanted.get("TTL", ""),
        NodeChecks=node_checks,
        ServiceChecks=wanted.get("ServiceChecks"),
        CreateIndex=index,
        ModifyIndex=index,
    )
    if checks:
        head["Checks"] = checks
    return head


def check_ids(row: SessionRow) -> Iterator[str]:
    yield from row.get("Checks", [])
    yield from row["NodeChecks"] or []
    yield from (check["ID"] for check in row["ServiceChecks"] or [])


def _check_ttl(text: str) -> None:
    try:
        seconds = parse_duration(text) if text else 0.0
    except ValueError as error:
        raise SessionError(f"Session TTL '{text}' invalid: {error}") from None
    if seconds and not SHORTEST <= seconds <= LONGEST:
        raise SessionError(f"Invalid Session TTL '{seconds * 1e9:.0f}', must be between [10s=24h0m0s]")


def _fixed(wanted: Wanted) -> tuple[list[str] | None, list[str]]:
    """(NodeChecks, Checks): the older field (Checks) and the newer one as Consul 1.7 and later bring them together."""
    checks = wanted.get("Checks", [SERF_HEALTH]) or []
    node_checks = wanted.get("NodeChecks", [SERF_HEALTH])
    if not checks:
        return [], []
    if checks == [SERF_HEALTH] or not node_checks:
        return node_checks, []
    return node_checks, checks
