"""Sessions: what holds locks, and what ends them: their time to live, a check that fails or goes, a node that goes.

A session is kept over a restart, which gives it its whole time anew, as a new leader does in Consul.
https://developer.hashicorp.com/consul/api-docs/session, agent/consul/session_endpoint.go.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import NotRequired, TypedDict
from uuid import uuid4

from sampan.consul.durations import parse_duration
from sampan.registry.catalog import Catalog
from sampan.registry.deadlines import Deadlines
from sampan.registry.keys import Keys
from sampan.registry.locks import LockError, Locks
from sampan.registry.rows import SERF_HEALTH, CheckRow, NodeRow
from sampan.registry.tables import Table, Topic, Write

SESSIONS = "sessions"
"""Topic: any session was made or ended."""
DEFAULT_LOCK_DELAY = 15_000_000_000
SHORTEST, LONGEST = 10.0, 24 * 3600.0
GRACE = 0.1
"""How much longer than its TTL a session lives at least: a renewal may be under way. (Consul: up to 1.0.)"""
_RETRY = 1.0


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


def session_topic(session: str) -> Topic:
    return ("session", session)


def node_topic(node: str) -> Topic:
    return ("sessions of", node.lower())


class Sessions:
    """Over the table of sessions. `deadlines` has those with a time to live."""

    def __init__(self, catalog: Catalog, keys: Keys, clock: Callable[[], float]) -> None:
        self.table: Table[SessionRow] = Table("sessions", {"node": _node, "check": _checks})
        self.deadlines = Deadlines(clock)
        self.locks = Locks(keys, self.exists, clock)
        self._catalog = catalog
        catalog.after_check.append(self._after_check)
        catalog.after_node.append(self._after_node)

    def begin(self) -> None:
        """After the tables were read: every session has its whole time."""
        for row in self.table.rows.values():
            self.renew(row)

    # ---------------------------------------------------------------- reads

    def get(self, session: str) -> SessionRow | None:
        """Raises LockError for what is no UUID, in Consul's words."""
        if len(session) != 36:
            raise LockError("failed session lookup: index error: UUID must be 36 characters")
        return self.table.get(session)

    def exists(self, session: str) -> bool:
        return self.get(session) is not None

    def all(self) -> list[SessionRow]:
        return _sorted(self.table.rows.values())

    def of_node(self, node: str) -> list[SessionRow]:
        return _sorted(self.table.group("node", node.lower()))

    # --------------------------------------------------------------- writes

    def create(self, write: Write, wanted: Wanted) -> SessionRow:
        """Raises SessionError."""
        row = self._row(wanted, write.index)
        write.put(self.table, row["ID"], row)
        _tell(write, row)
        self.renew(row)
        return row

    def destroy(self, write: Write, session: str) -> None:
        """With what follows for its locks. None of that if there is no such session."""
        row = self.get(session)
        if row is None:
            return
        write.delete(self.table, session)
        _tell(write, row)
        self.locks.end(write, session, delete=row["Behavior"] == "delete", lock_delay=row["LockDelay"])

    def renew(self, row: SessionRow) -> None:
        seconds = parse_duration(row["TTL"]) if row["TTL"] else 0.0
        if seconds:
            self.deadlines.put(row["ID"], seconds * (1 + GRACE))

    def expired(self) -> list[str]:
        """Those whose time is over now. They are gone once `destroy` has succeeded; until then they are told again."""
        over = [session for session in self.deadlines.due() if session in self.table.rows]
        for session in over:
            self.deadlines.put(session, _RETRY)
        if len(self.deadlines) > 2 * len(self.table.rows) + 64:
            self.deadlines.keep(self.table.rows)
        return over

    # ------------------------------------------------------------ what ends

    def _after_check(self, write: Write, before: CheckRow | None, after: CheckRow | None) -> None:
        row = after or before
        if row is not None and (after is None or after["Status"] == "critical"):
            for session in list(self.table.group("check", _check(row["Node"], row["CheckID"]))):
                self.destroy(write, session["ID"])

    def _after_node(self, write: Write, before: NodeRow | None, after: NodeRow | None) -> None:
        if before is not None and after is None:
            for session in list(self.table.group("node", before["Node"].lower())):
                self.destroy(write, session["ID"])

    # ---------------------------------------------------------------- rules

    def _row(self, wanted: Wanted, index: int) -> SessionRow:
        node = wanted.get("Node", self._catalog.identity.node)
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
        self._usable(head)
        return head

    def _usable(self, row: SessionRow) -> None:
        """Its node and its checks are there, and no check fails."""
        node = self._catalog.node(row["Node"])
        if node is None:
            raise SessionError("Missing node registration")
        for check_id in _check_ids(row):
            check = self._catalog.check(node["Node"], check_id)
            if check is None:
                raise SessionError(f"Missing check '{check_id}' registration")
            if check["Status"] == "critical":
                raise SessionError(f"Check '{check_id}' is in critical state")


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


def _check_ids(row: SessionRow) -> Iterator[str]:
    yield from row.get("Checks", [])
    yield from row["NodeChecks"] or []
    yield from (check["ID"] for check in row["ServiceChecks"] or [])


def _check(node: str, check_id: str) -> tuple[str, str]:
    return (node.lower(), check_id.lower())


def _node(row: SessionRow) -> tuple[str, ...]:
    return (row["Node"].lower(),)


def _checks(row: SessionRow) -> Iterator[tuple[str, str]]:
    return (_check(row["Node"], check_id) for check_id in _check_ids(row))


def _sorted(rows: Collection[SessionRow]) -> list[SessionRow]:
    return sorted(rows, key=lambda row: row["ID"])


def _tell(write: Write, row: SessionRow) -> None:
    write.touch(SESSIONS)
    write.wake(session_topic(row["ID"]), node_topic(row["Node"]))
