"""What routes bring to one listener, kept sorted by precedence, host by host.

A listener's host names nest: a route for `*.example.com` also serves `shop.example.com` after the routes for that very
host. So there is one bucket for each host name that routes have in common with the listener, and a host's entries are
its own bucket's followed by those of the wider ones. A changed route moves only its own lines; hosts that see none of
them stay the same objects.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping

from sampan.model.names import Ref, hostname_covers, resource_name
from sampan.model.plan import Entry, Host
from sampan.resolve.listeners import Door, more_specific
from sampan.resolve.precedence import host_key
from sampan.resolve.routes import Attachment, LineKey

Age = tuple[str, str, str]
BucketKey = tuple[tuple[int, int], LineKey]


def wider(hostname: str) -> Iterator[str]:
    """The names that cover `hostname`, nearest first: `a.b.c` → `*.b.c`, `*.c`, ``."""
    if not hostname:
        return
    rest = hostname[2:] if hostname.startswith("*.") else hostname
    while "." in rest:
        rest = rest.partition(".")[2]
        yield f"*.{rest}"
    yield ""


class Bucket:
    """Lines of one host name, the winner first."""

    __slots__ = ("_entries", "_keys", "_made")

    def __init__(self) -> None:
        self._keys: list[BucketKey] = []
        self._entries: list[Entry] = []
        self._made: tuple[Entry, ...] | None = ()

    def __bool__(self) -> bool:
        return bool(self._keys)

    def add(self, own: str, attachment: Attachment) -> None:
        host = host_key(own)
        for line in attachment.lines:
            key = (host, line.key)
            place = bisect_left(self._keys, key)
            self._keys.insert(place, key)
            self._entries.insert(place, line.entry)
        self._made = None

    def remove(self, own: str, attachment: Attachment) -> None:
        host = host_key(own)
        for line in attachment.lines:
            place = bisect_left(self._keys, (host, line.key))
            while self._entries[place] is not line.entry:
                place += 1
            del self._keys[place]
            del self._entries[place]
        self._made = None

    def entries(self) -> tuple[Entry, ...]:
        if self._made is None:
            self._made = tuple(self._entries)
        return self._made


class Table:
    """One listener's routes and hosts. `rejected`: routes that a route of another kind keeps out → that one."""

    def __init__(self) -> None:
        self.attachments: dict[Ref, Attachment] = {}
        self.ages: dict[Ref, Age] = {}
        self.rejected: Mapping[Ref, Ref] = {}
        self._buckets: dict[str, Bucket] = {}
        self._hosts: dict[str, Host] = {}
        self._order: list[str] = []
        self._dirty: set[str] = set()
        self._door: Door | None = None
        self._others: tuple[str, ...] = ()
        self._made: tuple[Host, ...] | None = None

    # ---- routes come and go

    def put(self, ref: Ref, age: Age, attachment: Attachment | None) -> None:
        """What a route brings now; None: nothing any more."""
        former = self.attachments.pop(ref, None)
        self.ages.pop(ref, None)
        if former is not None and ref not in self.rejected:
            self._take_out(former)
        if attachment is not None:
            self.attachments[ref] = attachment
            self.ages[ref] = age
            if ref not in self.rejected:
                self._put_in(attachment)

    def by_age(self) -> list[Ref]:
        """The oldest first; routes of the same age by namespace, name and kind."""
        return sorted(self.attachments, key=lambda ref: (self.ages[ref], ref))

    def reject(self, losers: Mapping[Ref, Ref]) -> set[Ref]:
        """Leaves these routes out. Returns those of which something else must be said now."""
        former, self.rejected = self.rejected, losers
        for ref in former.keys() ^ losers.keys():
            if ref in self.attachments:
                (self._take_out if ref in losers else self._put_in)(self.attachments[ref])
        return {ref for ref in former.keys() | losers.keys() if former.get(ref) != losers.get(ref)}

    def _put_in(self, attachment: Attachment) -> None:
        for common, own in attachment.hosts if attachment.lines else ():
            bucket = self._buckets.get(common)
            if bucket is None:
                bucket = self._buckets[common] = Bucket()
            bucket.add(own, attachment)
            self._dirty.add(common)

    def _take_out(self, attachment: Attachment) -> None:
        for common, own in attachment.hosts if attachment.lines else ():
            bucket = self._buckets[common]
            bucket.remove(own, attachment)
            self._dirty.add(common)
            if not bucket:
                del self._buckets[common]

    # ---- hosts

    def hosts(self, door: Door, others: tuple[Door, ...]) -> tuple[Host, ...]:
        """All hosts of the listener, in the order of their names. `others` are the open listeners of the same port that
        speak HTTP the same way: a host that one of them has more specifically is theirs alone (listener isolation)."""
        names = tuple(other.hostname for other in others if more_specific(other.hostname, door.hostname))
        if self._door is None or door.hostname != self._door.hostname or names != self._others:
            self._dirty.update(self._buckets, self._hosts, (door.hostname,))
        self._door, self._others = door, names
        if self._dirty or self._made is None:
            for domain in self._touched():
                self._refresh(domain)
            self._dirty.clear()
            self._made = tuple(map(self._hosts.__getitem__, self._order))
        return self._made

    def _touched(self) -> set[str]:
        touched = set(self._dirty)
        for name in self._dirty:
            if not name or name.startswith("*"):
                touched.update(domain for domain in self._order if hostname_covers(name, domain) and domain)
        return touched

    def _refresh(self, domain: str) -> None:
        assert self._door is not None
        wanted = (domain in self._buckets or domain == self._door.hostname) and not any(
            hostname_covers(other, domain) and domain for other in self._others
        )
        present = domain in self._hosts
        if not wanted:
            if present:
                del self._hosts[domain]
                del self._order[bisect_left(self._order, domain)]
            return
        entries = self._entries(domain)
        if present and self._hosts[domain].entries == entries:
            return
        self._hosts[domain] = Host(resource_name(domain or "*"), domain or "*", entries)
        if not present:
            self._order.insert(bisect_left(self._order, domain), domain)

    def _entries(self, domain: str) -> tuple[Entry, ...]:
        buckets = [self._buckets[name] for name in (domain, *wider(domain)) if name in self._buckets]
        if not buckets:
            return ()
        if len(buckets) == 1:
            return buckets[0].entries()
        # A route with both a wide and a narrow host name is in several buckets; its first place is the one that counts.
        entries: dict[int, Entry] = {}
        for bucket in buckets:
            for entry in bucket.entries():
                entries.setdefault(id(entry), entry)
        return tuple(entries.values())


def clashes(table: Table) -> dict[Ref, Ref]:
    """Routes that must go, each with the one it gives way to: of HTTPRoutes and GRPCRoutes on one listener with a host
    in common, the oldest is accepted (GRPCRouteSpec.hostnames). Routes of one kind never clash."""
    hosts: dict[str, dict[str, Ref]] = {"HTTPRoute": {}, "GRPCRoute": {}}
    within: dict[str, dict[str, Ref]] = {"HTTPRoute": {}, "GRPCRoute": {}}
    rejected: dict[Ref, Ref] = {}
    for ref in table.by_age():
        commons = [common for common, _ in table.attachments[ref].hosts]
        other = "GRPCRoute" if ref.kind == "HTTPRoute" else "HTTPRoute"
        winner = next((found for common in commons if (found := _met(common, hosts[other], within[other]))), None)
        if winner is not None:
            rejected[ref] = winner
            continue
        for common in commons:
            hosts[ref.kind].setdefault(common, ref)
            for name in wider(common):
                within[ref.kind].setdefault(name, ref)
    return rejected


def _met(common: str, hosts: dict[str, Ref], within: dict[str, Ref]) -> Ref | None:
    """Who has this host, one around it, or one within it."""
    for name in (common, *wider(common)):
        if name in hosts:
            return hosts[name]
    return within.get(common)
