"""Hosts and their entries → RouteConfigurations, joined from parts that were serialised once.

A Part is what stands or falls alone: one entry of a host, as the bytes that carry it in its VirtualHost. A routing
table of 10,000 entries with one changed is a join of cached bytes.

A host says the RetryPolicy that most of its Routes have, once; the others say their own, if only that there is none:
`VirtualHost.retry_policy` holds for a Route without one, and nothing of it where there is one. The shipped policy in
each Route was half of the bytes, and a quarter of Envoy's work for a changed table of 10,000 routes (measured).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import blake2b

from sampan.compile.actions import CompiledAction, Variant, compile_action, refused_body
from sampan.compile.filters import HttpFilter
from sampan.compile.hooks import Hooks
from sampan.compile.matches import match_body, preflight_body
from sampan.compile.memo import Cells, Memo
from sampan.envoy import protos, types, wire
from sampan.envoy.table import VERSION_BYTES, Row, row
from sampan.model.names import Ref
from sampan.model.plan import Entry, Host, HttpApplication

Refused = Mapping[str, bytes | None]

# Field numbers: RouteConfiguration.virtual_hosts; VirtualHost.name, domains, routes, retry_policy; Route.match, route;
# RouteAction.retry_policy
_VIRTUAL_HOSTS, _NAME, _DOMAINS, _ROUTES, _HOST_RETRY = 2, 1, 2, 3, 16
_MATCH, _FORWARD, _RETRY = 1, 2, 9


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The unit of isolation. `name` is the action's; `key` the hash of `body`, which holds the Routes of one entry as
    fields of their VirtualHost, complete: they mean the same in any host. `refs` are the objects that caused it.
    `instead_of` are the refused keys that it stands for; its body is empty where nothing can."""

    name: str
    key: str
    refs: tuple[Ref, ...]
    body: bytes = field(repr=False)
    instead_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class CompiledEntry:
    """`retry` is the RetryPolicy of all its Routes that forward, None if they differ or there are none; `shorter` the
    part's body without it."""

    part: Part
    retry: bytes | None
    shorter: bytes
    filters: tuple[HttpFilter, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, eq=False)
class CompiledHost:
    """`body` is the VirtualHost; `entries` keep the results of the entries for the next run."""

    body: bytes
    parts: tuple[Part, ...]
    filters: frozenset[HttpFilter]
    rows: tuple[Row, ...]
    entries: Cells[Entry, CompiledEntry]


@dataclass(frozen=True, slots=True, eq=False)
class CompiledTable:
    """A RouteConfiguration. `filters` are those that some route of it switches on."""

    row: Row
    parts: tuple[Part, ...]
    filters: frozenset[HttpFilter]
    rows: tuple[Row, ...]
    hosts: Cells[Host, CompiledHost]
    entries: Cells[Entry, CompiledEntry]


def compile_table(application: HttpApplication, hooks: Hooks, memo: Memo, refused: Refused) -> CompiledTable:
    kept = memo.tables.get(application)
    if kept is not None:
        memo.hosts.keep(kept.hosts)
        memo.entries.keep(kept.entries)
        return kept
    hosts = [_compiled_host(host, hooks, memo, refused) for host in application.hosts]
    entries: Cells[Entry, CompiledEntry] = {}
    for host in hosts:
        entries.update(host.entries)
    body = _head(application.name) + wire.repeated(_VIRTUAL_HOSTS, (host.body for host in hosts))
    compiled = CompiledTable(
        row=row(types.ROUTE, application.name, body),
        parts=tuple(part for host in hosts for part in host.parts),
        filters=frozenset().union(*(host.filters for host in hosts)),
        rows=tuple(extra for host in hosts for extra in host.rows),
        hosts=memo.hosts.cells(application.hosts),
        entries=entries,
    )
    return memo.tables.put(application, compiled)


def trial(name: str, parts: Iterable[Part]) -> Row:
    """A RouteConfiguration of these parts alone, in one host for every domain: what to ask Envoy in search of the part
    that it refuses."""
    host = wire.text(_NAME, "trial") + wire.text(_DOMAINS, "*") + b"".join(part.body for part in parts)
    return row(types.ROUTE, name, _head(name) + wire.field(_VIRTUAL_HOSTS, host))


def _head(name: str) -> bytes:
    """A RouteConfiguration without hosts. Hosts match whatever port the Host header names: a gateway is reached through
    other ports than its own (port forwarding, `localhost:8080`), and the Gateway API's hostnames have no port."""
    table = protos.route.RouteConfiguration(name=name)
    table.ignore_port_in_host_matching = True
    table.validate_clusters.value = False  # clusters come and go on their own; a route to none answers 503
    return bytes(table.SerializeToString())


def _compiled_host(host: Host, hooks: Hooks, memo: Memo, refused: Refused) -> CompiledHost:
    kept = memo.hosts.get(host)
    if kept is not None:
        memo.entries.keep(kept.entries)
        return kept
    build = partial(_compiled_entry, hooks, memo)
    entries = [memo.entries.of(entry, build) for entry in host.entries]
    parts = [entry.part for entry in entries]
    if refused:
        parts = _accepted(host.entries, parts, refused)
    compiled = CompiledHost(
        body=_host_body(host, entries, parts),
        parts=tuple(parts),
        filters=frozenset(item for entry in entries for item in entry.filters),
        rows=tuple(extra for entry in entries for extra in entry.rows),
        entries=memo.entries.cells(host.entries),
    )
    return memo.hosts.put(host, compiled)


def _host_body(host: Host, entries: Sequence[CompiledEntry], parts: Sequence[Part]) -> bytes:
    """The VirtualHost. What stands in for a refused entry keeps what it says itself."""
    accepted = [entry if entry.part is part else None for entry, part in zip(entries, parts, strict=True)]
    shared = _worth_sharing(entry.retry for entry in accepted if entry is not None)
    bodies = [
        entry.shorter if entry is not None and entry.retry == shared else part.body
        for entry, part in zip(accepted, parts, strict=True)
    ]
    head = wire.text(_NAME, host.name) + wire.text(_DOMAINS, host.domain)
    retry = wire.field(_HOST_RETRY, shared) if shared else b""
    misdirected = _misdirected_body() if host.misdirected else b""
    return b"".join([head, *bodies, misdirected, retry])


def _worth_sharing(values: Iterable[bytes | None]) -> bytes | None:
    """What takes most bytes in all; of several such the first."""
    counts = Counter(value for value in values if value is not None)
    return max(counts, key=lambda value: counts[value] * len(value), default=None)


def _compiled_entry(hooks: Hooks, memo: Memo, entry: Entry) -> CompiledEntry:
    action: CompiledAction = memo.actions.of(entry.action, lambda action: compile_action(action, hooks))
    matches = [match_body(entry.match)]
    if entry.action.cors is not None and entry.match.method not in ("", "OPTIONS"):
        matches.append(preflight_body(entry.match))
    pairs = [
        (wire.field(_MATCH, match + variant.condition) + variant.rest, variant)
        for match in matches
        for variant in action.variants
    ]
    body = wire.repeated(_ROUTES, (route + _own_retry(variant) for route, variant in pairs))
    retries = {variant.retry for variant in action.variants} - {None}
    retry = retries.pop() if len(retries) == 1 else None
    shorter = body if retry is None else wire.repeated(_ROUTES, (route for route, _ in pairs))
    part = Part(entry.action.name, _key(body), (entry.action.origin.route,), body)
    return CompiledEntry(part, retry, shorter, action.filters, action.rows)


def _own_retry(variant: Variant) -> bytes:
    """`Route.route.retry_policy`, to be joined to a Route: parsers merge a message that comes in two pieces."""
    return b"" if variant.retry is None else wire.field(_FORWARD, wire.field(_RETRY, variant.retry))


def _key(body: bytes) -> str:
    return blake2b(body, digest_size=VERSION_BYTES).hexdigest()


def _misdirected_body() -> bytes:
    """RFC 9110, 15.5.20: this connection is not the one for that host."""
    route = protos.route.Route()
    route.match.prefix = "/"
    route.direct_response.status = 421
    return wire.field(_ROUTES, route.SerializeToString())


# ---- what Envoy refused


def _accepted(entries: Iterable[Entry], parts: Iterable[Part], refused: Refused) -> list[Part]:
    """The parts with stand-ins for the refused ones."""
    pairs = zip(entries, parts, strict=True)
    return [part if part.key not in refused else _stand_in(entry, part, refused) for entry, part in pairs]


def _stand_in(entry: Entry, part: Part, refused: Refused) -> Part:
    """The last good version if there is one, else an answer of 500 to the same requests; if Envoy refused that too,
    the match itself is at fault, and nothing stands there."""
    good = refused[part.key]
    answer = wire.repeated(_ROUTES, [wire.field(_MATCH, match_body(entry.match)) + refused_body(entry.action)])
    bodies = [answer, b""] if good is None else [good, answer, b""]
    instead_of = [part.key]
    for body in bodies:
        key = _key(body)
        if key not in refused:
            break
        instead_of.append(key)
    return replace(part, key=key, body=body, instead_of=tuple(instead_of))
