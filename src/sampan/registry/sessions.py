"""Sessions: what holds locks, and what ends them: their time to live, a check that fails or goes, a node that goes.

A session is kept over a restart, which gives it its whole time anew, as a new leader does in Consul.
https://developer.hashicorp.com/consul/api-docs/session, agent/consul/session_endpoint.go.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from sampan.consul.durations import parse_duration
from sampan.registry.catalog import Catalog
from sampan.registry.deadlines import Deadlines
from sampan.registry.keys import Keys
from sampan.registry.locks import LockError, Locks
from sampan.registry.rows import CheckRow, NodeRow
from sampan.registry.session_row import SessionError, SessionRow, Wanted, check_ids, made
from sampan.registry.tables import Table, Topic, Write

SESSIONS = "sessions"
"""Topic: any session was made or ended."""
GRACE = 0.1
"""How much longer than its TTL a session lives at least: a renewal may be under way. (Consul: up to 1.0.)"""
_RETRY = 1.0


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
        row = made(wanted, self._catalog.identity.node, write.index)
        self._check_usable(row)
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

    def _check_usable(self, row: SessionRow) -> None:
        """That its node and its checks are there, and no check fails. Raises SessionError."""
        node = self._catalog.node(row["Node"])
        if node is None:
            raise SessionError("Missing node registration")
        for check_id in check_ids(row):
            check = self._catalog.check(node["Node"], check_id)
            if check is None:
                raise SessionError(f"Missing check '{check_id}' registration")
            if check["Status"] == "critical":
                raise SessionError(f"Check '{check_id}' is in critical state")


def _check(node: str, check_id: str) -> tuple[str, str]:
    return (node.lower(), check_id.lower())


def _node(row: SessionRow) -> tuple[str, ...]:
    return (row["Node"].lower(),)


def _checks(row: SessionRow) -> Iterator[tuple[str, str]]:
    return (_check(row["Node"], check_id) for check_id in check_ids(row))


def _sorted(rows: Collection[SessionRow]) -> list[SessionRow]:
    return sorted(rows, key=lambda row: row["ID"])


def _tell(write: Write, row: SessionRow) -> None:
    write.touch(SESSIONS)
    write.wake(session_topic(row["ID"]), node_topic(row["Node"]))
