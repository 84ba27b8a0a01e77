"""The public face of the xds room: what each scope shall have, and who is connected.

    control = Control()
    revision = control.publish("gateway/default/shop", table)
    if not await control.settled("gateway/default/shop", revision, timeout=5): ...

A scope is what one proxy is to have; a proxy belongs to the scope that its node id names. Everything here runs on one
event loop. A Row is serialised once, when it is built, however many streams it goes to.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count

from sampan.envoy.table import Row, Table, difference
from sampan.envoy.types import ENDPOINT
from sampan.xds.events import Event, Verdicts
from sampan.xds.message import BadRequestError, Node, request
from sampan.xds.nodes import NodeState, node_state
from sampan.xds.session import Session, Stub, no_stub


@dataclass(frozen=True, slots=True)
class Connected:
    """A stream opened and told its node."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A stream ended."""


@dataclass(frozen=True, slots=True)
class Retired:
    """A scope is no more."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something happened in a scope; `node` is None and `stream` 0 where it is not about one proxy."""

    scope: str
    what: Event | Connected | Disconnected | Retired
    node: Node | None = None
    stream: int = 0


Observer = Callable[[Notice], None]


@dataclass(slots=True)
class _Scope:
    table: Table
    revision: int
    verdicts: Verdicts = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Stream:
    """One stream as the shell sees it: bytes in, bytes out, `wake` set when there may be something to send."""

    control: Control
    number: int
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False
    session: Session | None = None
    scope: str = ""
    since: float = 0.0

    def receive(self, data: bytes) -> None:
        """One request. BadRequestError if it is none, or if the first of a stream names no node."""
        self.control._receive(self, data)
        self.wake.set()

    def next_response(self) -> bytes | None:
        if self.session is None:
            return None
        body = self.session.next_response(self.control.clock())
        self.control._report(self)
        return body

    def delay(self) -> float | None:
        """Seconds until something is due without a request; None if nothing is."""
        at = self.session.wake_at() if self.session else None
        return None if at is None else max(0.001, at - self.control.clock())

    def end(self) -> None:
        """No more requests will come, or no more responses may go."""
        self.ended = True
        self.wake.set()


class Control:
    """`clock` is monotonic, `now` tells the time; `keep` is for the replay (see Session)."""

    def __init__(
        self,
        *,
        scope_of: Callable[[Node], str] = lambda node: node.id,
        stub: Stub = no_stub,
        hold: float = 2.0,
        linger: float = 1.0,
        keep: bool = False,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.clock = clock
        self._now = now
        self._scope_of = scope_of
        self._stub, self._hold, self._linger, self._keep = stub, hold, linger, keep
        self._scopes: dict[str, _Scope] = {}
        self._streams: dict[Stream, None] = {}
        self._observers: list[Observer] = []
        self._waiting: dict[str, list[tuple[int, asyncio.Future[None]]]] = {}
        self._revisions = count(1)
        self._numbers = count(1)

    # What shall be

    def publish(self, scope: str, table: Table) -> int:
        """The scope's Table from now on; the difference is computed here. Gives the revision to wait for."""
        known = self._scopes.get(scope)
        if known is None:
            known = self._scopes[scope] = _Scope(Table(), 0)
        change = difference(known.table, table)
        changed = {type_url: names.changed | names.removed for type_url, names in change.types.items()}
        return self._publish(scope, known, table, changed, at_once=False)

    def publish_rows(self, scope: str, rows: Iterable[Row], removed: Iterable[str] = ()) -> int:
        """The endpoints' own road: these ENDPOINT rows, without a look at the rest of the Table and without waiting
        for a round. KeyError if nothing was published for the scope. Gives the revision to wait for."""
        known = self._scopes[scope]
        rows = tuple(rows)
        gone = tuple((ENDPOINT, name) for name in removed)
        table = known.table.with_rows(rows, gone)
        if table is known.table:
            return known.revision
        changed: dict[str, set[str]] = {}
        for type_url, name in (*((row.type, row.name) for row in rows), *gone):
            changed.setdefault(type_url, set()).add(name)
        return self._publish(scope, known, table, changed, at_once=True)

    def _publish(
        self, scope: str, known: _Scope, table: Table, changed: Mapping[str, Iterable[str]], at_once: bool
    ) -> int:
        if known.revision and not changed:
            known.table = table
            return known.revision
        known.table, known.revision = table, next(self._revisions)
        for type_url, names in changed.items():
            for name in names:
                verdict = known.verdicts.get((type_url, name))
                row = table.get(type_url, name)
                if verdict is not None and (row is None or row.version != verdict.version):
                    del known.verdicts[type_url, name]
        now = self.clock()
        for stream in self._of(scope):
            assert stream.session is not None
            stream.session.verdicts = known.verdicts
            offer = stream.session.offer_rows if at_once else stream.session.offer
            offer(table, changed, known.revision, now)
            stream.wake.set()
        return known.revision

    def retire(self, scope: str) -> None:
        """Forgets a scope. Its proxies keep what they have and are sent nothing until it is published again."""
        if self._scopes.pop(scope, None) is None:
            return
        for stream in self._of(scope):
            assert stream.session is not None
            stream.session.withdraw()
            stream.session.verdicts = {}
        self._tell(Notice(scope, Retired()))

    # What is

    def revision(self, scope: str) -> int:
        """The latest revision published; 0 if none was."""
        known = self._scopes.get(scope)
        return known.revision if known else 0

    async def settled(self, scope: str, revision: int, timeout: float) -> bool:
        """Waits until the scope's proxies (one at least) have confirmed or refused everything published up to that
        revision. False if that took longer than `timeout` seconds."""
        if self._settled(scope) >= revision:
            return True
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (revision, future)
        self._waiting.setdefault(scope, []).append(entry)
        try:
            async with asyncio.timeout(timeout):
                await future
        except TimeoutError:
            return False
        finally:
            waiting = self._waiting[scope]
            waiting.remove(entry)
            if not waiting:
                del self._waiting[scope]
        return True

    def table(self, scope: str) -> Table | None:
        """What was published last; None for a scope that is not known."""
        known = self._scopes.get(scope)
        return known.table if known else None

    def verdicts(self, scope: str) -> Verdicts:
        """What the scope's proxies refuse as it is published now, by (type, name)."""
        known = self._scopes.get(scope)
        return dict(known.verdicts) if known else {}

    def connected(self, scope: str) -> bool:
        """Whether a proxy of the scope has a stream."""
        return bool(self._of(scope))

    def nodes(self) -> tuple[NodeState, ...]:
        """Every connected proxy, by node id."""
        states = [
            node_state(s.session, s.session.node, s.scope, s.number, s.since, self.revision(s.scope))
            for s in self._streams
            if s.session is not None and s.session.node is not None
        ]
        return tuple(sorted(states, key=lambda state: (state.node.id, state.stream)))

    def good(self, scope: str) -> Table | None:
        """What the scope's proxy has confirmed: a whole configuration that is known to work. None if no proxy is
        connected or the newest is not in step yet."""
        streams = self._of(scope)
        session = streams[-1].session if streams else None
        if session is None or not session.complete:
            return None
        return Table(
            {
                type_url: {name: row for name, row in feed.known.items() if isinstance(row, Row)}
                for type_url, feed in session.feeds.items()
                if feed.known
            }
        )

    def observe(self, observer: Observer) -> None:
        """Calls `observer` at once, on the event loop, for everything that happens; it must not block."""
        self._observers.append(observer)

    # Streams, for the shell

    def open(self) -> Stream:
        stream = Stream(self, next(self._numbers), since=self._now())
        self._streams[stream] = None
        return stream

    def knows(self, stream: Stream) -> bool:
        """Whether the stream was opened and not closed."""
        return stream in self._streams

    def close(self, stream: Stream) -> None:
        """The stream is over."""
        if stream not in self._streams:
            return
        del self._streams[stream]
        if stream.session is None:
            return
        self._tell(Notice(stream.scope, Disconnected(), stream.session.node, stream.number))
        self._resolve(stream.scope)

    def end_all(self) -> None:
        """Lets every stream end by itself."""
        for stream in self._streams:
            stream.end()

    def _receive(self, stream: Stream, data: bytes) -> None:
        parsed = request(data)
        now = self.clock()
        if stream.session is None:
            if parsed.node is None:
                raise BadRequestError("the first request of a stream names its node: set node.id in the bootstrap")
            self._join(stream, parsed.node, now)
        assert stream.session is not None
        stream.session.receive(parsed, now)
        self._report(stream)

    def _join(self, stream: Stream, node: Node, now: float) -> None:
        stream.scope = self._scope_of(node)
        known = self._scopes.get(stream.scope)
        stream.session = Session(
            known.verdicts if known else {}, stub=self._stub, hold=self._hold, linger=self._linger, keep=self._keep
        )
        stream.session.node = node
        if known:
            stream.session.offer(known.table, {}, known.revision, now)
        self._tell(Notice(stream.scope, Connected(), node, stream.number))

    def _report(self, stream: Stream) -> None:
        session = stream.session
        if session is None:
            return
        events, session.events = session.events, []
        for event in events:
            self._tell(Notice(stream.scope, event, session.node, stream.number))
        self._resolve(stream.scope)

    def _of(self, scope: str) -> list[Stream]:
        return [stream for stream in self._streams if stream.session is not None and stream.scope == scope]

    def _settled(self, scope: str) -> int:
        return min((stream.session.settled for stream in self._of(scope) if stream.session), default=0)

    def _resolve(self, scope: str) -> None:
        waiting = self._waiting.get(scope)
        if not waiting:
            return
        settled = self._settled(scope)
        for revision, future in waiting:
            if revision <= settled and not future.done():
                future.set_result(None)

    def _tell(self, notice: Notice) -> None:
        for observer in self._observers:
            observer(notice)
