"""The walk over a Plan: every part compiled or found in the Memo, the rows put together, refused ones replaced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

from sampan.compile.clusters import compile_clusters, nowhere_row
from sampan.compile.filters import HttpFilter
from sampan.compile.hooks import Hooks
from sampan.compile.listeners import chain_key, compile_chain, listener_row
from sampan.compile.memo import Memo
from sampan.compile.routes import CompiledTable, Part, Refused, compile_table
from sampan.compile.secrets import certificate_row, trust_row
from sampan.compile.settings import Settings
from sampan.compile.streams import goes_nowhere
from sampan.envoy import types
from sampan.envoy.table import Row, Rows, Table, row
from sampan.model.names import Ref
from sampan.model.plan import Chain, HttpApplication, Plan, Socket, TcpApplication
from sampan.model.policy import PolicyKind

NOTHING_REFUSED: Refused = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """The Table, without the endpoints, which have a road of their own (`compile.endpoints`).

    `parts` are the Parts of each RouteConfiguration by its name, in order; `replaced_rows` are the refused versions of
    rows for which something else stands, or nothing.
    """

    plan: Plan
    table: Table
    parts: Mapping[str, tuple[Part, ...]] = field(default_factory=dict)
    replaced_rows: frozenset[str] = frozenset()

    def replaced(self) -> frozenset[str]:
        """The refused keys and versions that this Plan would still give, so that something else stands there."""
        parts = (key for parts in self.parts.values() for part in parts for key in part.instead_of)
        return self.replaced_rows | frozenset(parts)

    def sources(self, type_url: str, name: str) -> tuple[Ref, ...]:
        """The objects that caused a row, the likeliest first: the owner of a cluster, the routes of a routing table."""
        gateway = self.plan.view.gateway
        if type_url == types.ROUTE:
            return tuple(dict.fromkeys(ref for part in self.parts.get(name, ()) for ref in part.refs)) or (gateway,)
        if type_url == types.CLUSTER and name in self.plan.upstreams:
            return (self.plan.upstreams[name].owner,)
        if type_url == types.LISTENER:
            return (gateway, *_stream_routes(self.plan, name))
        return (gateway,)


def compile_plan(
    plan: Plan,
    policies: Sequence[PolicyKind],
    memo: Memo,
    *,
    refused: Refused = NOTHING_REFUSED,
    settings: Settings | None = None,
) -> Compiled:
    """Everything a proxy shall have for a Plan but its endpoints.

    `refused` are the keys of Parts and the versions of rows that Envoy refused, each with the last good bytes or None:
    so what one wrong route or cluster brings down is itself. A refused row without last good bytes is left out.
    """
    settings = settings or Settings()
    memo.begin((tuple(policies), settings), refused)
    run = _Run(plan, Hooks(policies), memo, refused, settings)
    compiled = run.compiled()
    memo.end()
    return compiled


class _Run:
    """One compile: what the walk carries along."""

    def __init__(self, plan: Plan, hooks: Hooks, memo: Memo, refused: Refused, settings: Settings) -> None:
        self._plan = plan
        self._hooks = hooks
        self._memo = memo
        self._refused = refused
        self._settings = settings
        self._extra: list[Row] = []
        self._replaced: set[str] = set()

    def compiled(self) -> Compiled:
        tables = {name: self._table(application) for name, application in _applications(self._plan).items()}
        listeners = [self._listener(socket, tables) for socket in self._plan.sockets]
        by_type: dict[str, Rows] = {
            types.CLUSTER: self._clusters(),
            types.SECRET: _by_name(self._secrets()),
            types.LISTENER: _by_name(listeners),
            types.ROUTE: _by_name(table.row for table in tables.values()),
        }
        for item in self._extra:
            by_type[item.type] = {**by_type[item.type], item.name: item}
        rows = {
            type_url: self._memo.same_rows(type_url, self._accepted(found))
            for type_url, found in by_type.items()
            if found
        }
        parts = {name: table.parts for name, table in tables.items()}
        return Compiled(self._plan, Table(rows), parts, frozenset(self._replaced))

    def _accepted(self, rows: Rows) -> Rows:
        """The rows with what stands in for refused ones, which are noted."""
        refused = {item.version for item in rows.values() if item.version in self._refused} if self._refused else None
        if not refused:
            return rows
        self._replaced |= refused
        stand_ins = ((name, _stand_in(item, self._refused)) for name, item in rows.items())
        return {name: item for name, item in stand_ins if item is not None}

    def _table(self, application: HttpApplication) -> CompiledTable:
        compiled = compile_table(application, self._hooks, self._memo, self._refused)
        self._extra += compiled.rows
        return compiled

    def _listener(self, socket: Socket, tables: Mapping[str, CompiledTable]) -> Row:
        keys = tuple(chain_key(socket, chain, _filters(chain, tables)) for chain in socket.chains)
        chains = [
            self._memo.chains.of(key, partial(compile_chain, chain.application, self._hooks))
            for chain, key in zip(socket.chains, keys, strict=True)
        ]
        self._extra += (extra for chain in chains for extra in chain.rows)
        place = (socket.name, socket.port, socket.addresses, socket.inspect_tls, keys)
        return self._memo.listeners.of(place, lambda _: listener_row(socket, chains, self._settings))

    def _clusters(self) -> Rows:
        """Only their own rows: what policies add to an upstream is `_extra`."""
        if any(goes_nowhere(application) for application in _streams(self._plan)):
            self._extra.append(nowhere_row())
        compiled = compile_clusters(self._plan.upstreams, self._hooks, self._memo, self._settings)
        self._extra += compiled.extra
        return compiled.rows

    def _secrets(self) -> Iterable[Row]:
        """Those that some listener or cluster names: Envoy would not even ask for others."""
        doors = [chain.tls for chain in _chains(self._plan) if chain.tls is not None]
        backs = [upstream.tls for upstream in self._plan.upstreams.values() if upstream.tls is not None]
        names = {name for tls in doors for name in tls.certificates} | {tls.certificate for tls in backs}
        trust = {tls.client_validation.trust for tls in doors if tls.client_validation} | {tls.trust for tls in backs}
        certificates = (self._plan.certificates[name] for name in sorted(names - {""}))
        rows = [self._memo.certificates.of(item, certificate_row) for item in certificates]
        rows += [trust_row([self._plan.trust[name] for name in bundles]) for bundles in sorted(trust - {()})]
        return rows


def _by_name(rows: Iterable[Row]) -> Rows:
    return {item.name: item for item in rows}


def _stand_in(item: Row, refused: Refused) -> Row | None:
    if item.version not in refused:
        return item
    good = refused[item.version]
    return None if good is None else row(item.type, item.name, good)


def _chains(plan: Plan) -> Iterable[Chain]:
    return (chain for socket in plan.sockets for chain in socket.chains)


def _applications(plan: Plan) -> dict[str, HttpApplication]:
    """By name; chains may share one."""
    found = (chain.application for chain in _chains(plan))
    return {application.name: application for application in found if isinstance(application, HttpApplication)}


def _streams(plan: Plan) -> Iterable[TcpApplication]:
    return (chain.application for chain in _chains(plan) if isinstance(chain.application, TcpApplication))


def _filters(chain: Chain, tables: Mapping[str, CompiledTable]) -> frozenset[HttpFilter]:
    return tables[chain.application.name].filters if isinstance(chain.application, HttpApplication) else frozenset()


def _stream_routes(plan: Plan, listener: str) -> Iterable[Ref]:
    for socket in plan.sockets:
        if socket.name == listener:
            for chain in socket.chains:
                origin = chain.application.origin if isinstance(chain.application, TcpApplication) else None
                if origin is not None:
                    yield origin.route
