"""The delta protocol of one stream, without I/O: requests in, responses out, time passed in.

What the proxy shall have comes as whole Tables and is brought over in **rounds**, make before break: a round takes the
latest Table, sends new and changed clusters, endpoints and secrets, and waits until they are confirmed and the
clusters' own endpoints were asked for and confirmed; then listeners and routes; and when these are confirmed, what is
gone is condemned, and removed `linger` seconds later (requests that were routed before are still on their way).
Tables that come meanwhile wait for the next round, and only the last of them counts. Endpoints published by themselves
(`offer_rows`) join the running round and wait for nobody.

A new or changed cluster needs its endpoints sent (again): Envoy warms it with what comes after, and does not ask again
for a name that it has (envoyproxy/envoy#13009).

On each type there is at most one unanswered response; until its answer, changes are only names in a set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from sampan.envoy.table import Row, Table
from sampan.envoy.types import CLUSTER, ENDPOINT, LISTENER, PUSH_ORDER, ROUTE, SECRET
from sampan.xds.events import Acked, Event, GaveUp, Refused, Verdict, Verdicts
from sampan.xds.feed import Feed, Sent
from sampan.xds.message import Node, Request, children, refused_names, response
from sampan.xds.rounds import UPSTREAM_TYPES, Phase, Round

Names = Mapping[str, Iterable[str]]
Stub = Callable[[str, str], Row | None]
"""What to answer for a (type, name) that was asked for and is in no Table; None: say that it does not exist."""


def no_stub(_type: str, _name: str) -> Row | None:
    return None


class Session:
    """One stream. The shell calls `receive` for each request, `offer`/`offer_rows` for what is published, and after
    each of them, and at `wake_at`, sends every `next_response`.

    `hold` seconds without progress end the wait for a cluster's endpoints or a listener's routes (nothing that a proxy
    fails to ask for may freeze its routes). `keep` is for the replay: a proxy that has anything keeps what it has.
    """

    def __init__(
        self, verdicts: Verdicts, *, stub: Stub = no_stub, hold: float = 2.0, linger: float = 1.0, keep: bool = False
    ) -> None:
        self.node: Node | None = None
        self.events: list[Event] = []
        self.feeds = {type_url: Feed(type_url) for type_url in PUSH_ORDER}
        self.verdicts = verdicts
        self._stub, self._linger, self._keep = stub, linger, keep
        self._round = Round(hold)
        self._table: Table | None = None  # what this round brings over
        self._revision = 0  # the revision of it
        self._latest: tuple[Table, int] | None = None  # for the next round
        self._waiting_since = 0  # the oldest revision that waits for it
        self._changed: dict[str, set[str]] = {}  # its names that differ
        self._nonce = 0

    # What the control plane wants

    def offer(self, table: Table, changed: Names, revision: int, now: float) -> None:
        """The next Table. `changed` are its names that differ from the Table before, removed ones too."""
        if self._latest is None:
            self._waiting_since = revision
        self._latest = (table, revision)
        self._note(changed)
        if self._round.phase is Phase.IDLE:
            self._start(now)

    def offer_rows(self, table: Table, changed: Names, revision: int, now: float) -> None:
        """The next Table, of which only rows that nothing has to wait for differ (endpoints): sent at once."""
        if self._table is None:
            self.offer(table, changed, revision, now)
            return
        if self._latest is None:
            self._table, self._revision = table, revision
        else:
            self._latest = (table, revision)
            fresh = [row for type_url, names in changed.items() for name in names if (row := table.get(type_url, name))]
            self._table = self._table.with_rows(fresh)
            self._note(changed)
        for type_url, names in changed.items():
            self._mark(self.feeds[type_url], names, revision)

    def _note(self, changed: Names) -> None:
        for type_url, names in changed.items():
            self._changed.setdefault(type_url, set()).update(names)

    def withdraw(self) -> None:
        """The scope is no more: the proxy keeps what it has and is sent nothing."""
        self._table, self._latest, self._revision = None, None, 0
        self._changed.clear()
        self._round.stop()

    @property
    def settled(self) -> int:
        """The revision up to which everything is with the proxy, or refused by it. Removals do not count."""
        if self._table is None:
            return 0
        if any(self._table.of(type_url) and not self.feeds[type_url].subscribed for type_url in (CLUSTER, LISTENER)):
            return 0  # a proxy asks for its listeners only when its clusters are ready
        open_ = [oldest for feed in self.feeds.values() if (oldest := feed.oldest) is not None]
        return max(0, min([self._revision + 1, *open_, *self._round.awaited.values()]) - 1)

    @property
    def complete(self) -> bool:
        """Between rounds, with everything asked for: what the proxy has is a whole configuration."""
        over = self._round.phase is Phase.DOWNSTREAM and self._sent_all and not self._round.awaited
        return (over or self._round.phase is Phase.IDLE) and self._latest is None and self.settled > 0

    def wake_at(self) -> float | None:
        """When something is due without any request; None if nothing is."""
        times = [due for feed in self.feeds.values() for due in feed.condemned.values()]
        if self._sent_all and self._round.blocking:
            times.append(self._round.deadline)
        return min(times, default=None)

    # What the proxy says

    def receive(self, request: Request, now: float) -> None:
        """One request: an answer to our last response of the type, a subscription, or both."""
        if request.node is not None:
            self.node = request.node
        feed = self.feeds.get(request.type)
        if feed is None:
            return  # a type we do not serve: nothing to say
        if feed.sent and request.nonce == feed.sent.nonce:
            sent, feed.sent = feed.sent, None
            if request.error:
                self._refuse(feed, sent, request.error, now)
            else:
                self._confirm(feed, sent.rows, sent.removed, now)
                self.events.append(Acked(feed.type, min(self._revision + 1, feed.oldest or self._revision + 1) - 1))
        for name in request.unsubscribe:
            if name == "*":
                feed.wildcard = False
            feed.forget(name)  # still awaited if it is: this may belong to a removal that was overtaken
        if not feed.subscribed or request.subscribe:
            self._subscribe(feed, request, now)

    def _subscribe(self, feed: Feed, request: Request, now: float) -> None:
        initial = request.initial or {}
        first, feed.subscribed = not feed.subscribed, True
        newly_wildcard = not feed.wildcard and ("*" in request.subscribe or (first and not request.subscribe))
        feed.wildcard = feed.wildcard or newly_wildcard
        names = [name for name in request.subscribe if name != "*"]
        feed.names.update(names)
        feed.known.update(initial)
        if self._table is None:
            feed.mark((name for name in names if name not in initial), 0, forced=True)
            return
        if self._round.phase is Phase.IDLE and first:
            self._round.enter(Phase.UPSTREAM, now)
        if self._keep and initial:
            feed.mark((name for name in names if name not in initial), self._revision, forced=True)
            return
        look = {*names, *initial}
        if newly_wildcard:
            look |= self._table.of(feed.type).keys()
        self._mark(feed, look, self._revision, awaited=self._round.phase is Phase.UPSTREAM)
        fresh = [name for name in names if name not in initial or name in feed.owed]
        feed.mark(fresh, self._revision, forced=True)
        if any((feed.type, name) in self._round.awaited for name in names):
            self._round.progress(now)
        if first and feed.type == LISTENER:
            # A proxy that comes back asks for the routes of the listeners it has; only then we know what they use.
            self._await_children(row for name in initial if (row := self._table.get(LISTENER, name)))

    def _confirm(self, feed: Feed, rows: Iterable[Row], removed: Iterable[str], now: float) -> None:
        for row in rows:
            if feed.wants(row.name):
                feed.known[row.name] = row
            verdict = self.verdicts.get((feed.type, row.name))
            if verdict is not None and verdict.version != row.version and verdict.good is not row:
                del self.verdicts[feed.type, row.name]
            if row.name not in feed.dirty and row.name not in feed.owed:
                self._round.arrived((feed.type, row.name), now)
        for name in removed:
            feed.known.pop(name, None)
            feed.expelled.discard(name)
            if self._row(feed.type, name)[0] is None:  # else it came back while its removal was on the way
                self._round.arrived((feed.type, name), now)
        if feed.type == CLUSTER:
            self._round.progress(now)

    def _refuse(self, feed: Feed, sent: Sent, error: str, now: float) -> None:
        """Finds out which resources are bad: Envoy names them, or there is only one, or the response goes out again in
        halves. Those it is, are kept as Verdicts; the others count as confirmed."""
        rows = {row.name: row for row in sent.rows}
        bad = refused_names(feed.type, error, rows)
        if not bad and len(rows) + len(sent.removed) > 1:
            feed.split(sent)
            self._round.progress(now)
            return
        bad = bad or frozenset(rows)
        for name in bad:
            before = feed.known.get(name)
            known = self.verdicts.get((feed.type, name))
            good = before if isinstance(before, Row) else known.good if known else None
            self.verdicts[feed.type, name] = Verdict(rows[name].version, error, good)
            self._round.arrived((feed.type, name), now)
            for child in children(rows[name]):
                self._round.arrived(child, now)
        self.events.append(Refused(feed.type, {name: rows[name].version for name in sorted(bad)}, error))
        self._confirm(feed, [row for name, row in rows.items() if name not in bad], sent.removed, now)

    # What is sent next

    def next_response(self, now: float) -> bytes | None:
        """The next response to send, or None for now."""
        while True:
            for feed in self.feeds.values():
                feed.expel(now, self._revision + 1)  # removals keep nobody waiting
                body = self._respond(feed)
                if body is not None:
                    return body
            if not self._advance(now):
                return None

    def _respond(self, feed: Feed) -> bytes | None:
        # Envoy does not become ready before every type it subscribes to as a whole was answered, be it with nothing.
        greeting = feed.wildcard and not feed.greeted and not feed.known
        if self._table is None or feed.sent or not (feed.dirty or feed.parts or greeting):
            return None
        if self._round.phase is Phase.UPSTREAM and feed.type not in UPSTREAM_TYPES:
            return None
        names, since = feed.take()
        if feed.type == SECRET:
            names = feed.one_by_one(names, since)
        rows, removed = self._contents(feed, names)
        if not rows and not removed and not greeting:
            return None
        feed.greeted = True
        self._nonce += 1
        feed.sent = Sent(str(self._nonce), tuple(rows), tuple(removed), since or self._revision)
        self._await_children(rows)
        return response(feed.type, rows, removed, feed.sent.nonce, str(self._revision))

    def _contents(self, feed: Feed, names: Iterable[str]) -> tuple[list[Row], list[str]]:
        rows: list[Row] = []
        removed: list[str] = []
        for name in names:
            forced = name in feed.forced or name in feed.owed
            feed.forced.discard(name)
            if not feed.wants(name):
                continue
            feed.owed.discard(name)
            row, withheld = self._row(feed.type, name)
            if row is not None:
                if forced or not feed.has(name, row.version):
                    rows.append(row)
                else:
                    feed.known[name] = row
                    self._round.waive((feed.type, name))
            elif name not in feed.known:
                # Envoy waits with a cluster until its endpoints are there or said not to be; with a listener whose
                # routes were refused it may wait.
                if name in feed.names and (not withheld or feed.type == ENDPOINT):
                    removed.append(name)
                self._round.waive((feed.type, name))
            elif withheld:
                self._round.waive((feed.type, name))
            elif feed.type == LISTENER or name in feed.expelled:
                removed.append(name)
            else:
                feed.leaving.add(name)
        return rows, removed

    def _row(self, type_url: str, name: str) -> tuple[Row | None, bool]:
        """What the proxy shall have under a name, and whether that stands in for what it refused."""
        row = (self._table.get(type_url, name) if self._table else None) or self._stub(type_url, name)
        verdict = self.verdicts.get((type_url, name))
        if row is None or verdict is None or verdict.version != row.version:
            return row, False
        return verdict.good, True

    def _await_children(self, rows: Iterable[Row]) -> None:
        for row in rows:
            for type_url, name in children(row):
                feed = self.feeds[type_url]
                if self._row(type_url, name)[0] is None:
                    continue
                if type_url == ENDPOINT:
                    feed.owed.add(name)
                    if name in feed.names:
                        feed.mark((name,), self._round.since)
                elif name in feed.known:
                    continue  # the proxy shares routes and secrets between those who use them
                if self._round.phase is not Phase.IDLE:
                    self._round.wait_for((type_url, name), self._round.since)

    # Rounds

    def _start(self, now: float) -> None:
        if self._latest is None:
            return
        first = self._table is None
        self._table, self._revision = self._latest
        self._round.since = self._waiting_since
        changed, self._latest, self._changed = self._changed, None, {}
        self._round.enter(Phase.UPSTREAM, now)
        for feed in self.feeds.values():
            names = changed.get(feed.type, ())
            if first:
                names = {*self._table.of(feed.type), *feed.known}
            self._mark(feed, names, self._round.since, awaited=True)

    def _mark(self, feed: Feed, names: Iterable[str], revision: int, awaited: bool = False) -> None:
        """Looks at names that may differ: what is there becomes dirty, what is gone leaves when its time has come.
        `awaited`: the round does not come to listeners and routes before the endpoints and secrets among them."""
        assert self._table is not None
        rows = self._table.of(feed.type)
        fresh: list[str] = []
        for name in names:
            if not feed.wants(name):
                continue
            if name in rows:
                feed.stays(name)
                fresh.append(name)
                if awaited and feed.type in (ENDPOINT, SECRET):
                    self._round.wait_for((feed.type, name), revision)
            elif name not in feed.known or feed.type == LISTENER:
                fresh.append(name)
            else:
                feed.leaving.add(name)
        feed.mark(fresh, revision)

    def _advance(self, now: float) -> bool:
        """Whether the round went on, so that there may be more to send."""
        if self._round.phase is Phase.IDLE:
            self._condemn(now)
            return False
        if not self._sent_all:
            return False
        if self._round.blocking:
            if now < self._round.deadline:
                return False
            self.events.append(GaveUp(self._round.give_up()))
        if self._round.phase is Phase.UPSTREAM:
            self._round.enter(Phase.DOWNSTREAM, now)
            return True
        self._condemn(now)
        self._round.phase = Phase.IDLE
        self._start(now)
        return self._round.phase is Phase.UPSTREAM

    def _condemn(self, now: float) -> None:
        if self.feeds[LISTENER].subscribed:  # before that, we do not know what the proxy still uses
            for feed in self.feeds.values():
                feed.condemn(now + self._linger)

    @property
    def _sent_all(self) -> bool:
        """In a round, and every response of the phase's own types is answered."""
        if self._round.phase is Phase.IDLE:
            return False
        types = (CLUSTER,) if self._round.phase is Phase.UPSTREAM else (CLUSTER, LISTENER, ROUTE)
        return all(self.feeds[type_url].clean for type_url in types)
