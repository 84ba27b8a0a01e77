"""Socket → Listener: addresses, the chains by SNI, and what stands before them.

A chain says all that it depends on in a key (`ChainKey`): a changed route gives new hosts, a new application, chain and
socket in the Plan, but no new Listener unless it needs another filter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sampan.compile.clusters import BUFFER_BYTES
from sampan.compile.connections import connection
from sampan.compile.filters import HttpFilter
from sampan.compile.hooks import ConnectionFill, Hooks, StreamFill
from sampan.compile.settings import Settings
from sampan.compile.streams import stream
from sampan.compile.transport import fill_downstream
from sampan.envoy import protos, types, wire
from sampan.envoy.table import Row, row
from sampan.model.plan import Chain, DownstreamTls, HttpApplication, Socket, TcpApplication
from sampan.model.policy import Effective

HANDSHAKE_SECONDS = 10
_FILTER_CHAINS, _LISTENER_FILTERS = 3, 9


@dataclass(frozen=True, slots=True)
class ChainKey:
    """All that a filter chain is made from. `stream` is None for HTTP, whose routes are not part of the chain."""

    name: str
    server_names: tuple[str, ...]
    inspect: bool
    tls: DownstreamTls | None
    application: str
    filters: frozenset[HttpFilter]
    policies: frozenset[Effective]
    stream: TcpApplication | None


@dataclass(frozen=True, slots=True)
class CompiledChain:
    body: bytes
    listener_filters: tuple[bytes, ...]
    rows: tuple[Row, ...]


def chain_key(socket: Socket, chain: Chain, filters: frozenset[HttpFilter]) -> ChainKey:
    """`filters` are those that the chain's routes switch on."""
    application = chain.application
    return ChainKey(
        name=chain.name,
        server_names=chain.server_names,
        inspect=socket.inspect_tls,
        tls=chain.tls,
        application=application.name,
        filters=filters,
        policies=frozenset(application.policies.values()),
        stream=application if isinstance(application, TcpApplication) else None,
    )


def compile_chain(application: HttpApplication | TcpApplication, hooks: Hooks, key: ChainKey) -> CompiledChain:
    fill: ConnectionFill | StreamFill
    if isinstance(application, HttpApplication):
        fill = connection(application, key.filters, hooks)
    else:
        fill = stream(application, hooks)
    message = protos.listener.FilterChain(name=key.name)
    if key.server_names:
        message.filter_chain_match.server_names.extend(key.server_names)
    if key.tls is not None:
        fill_downstream(message.transport_socket, key.tls)
        message.transport_socket_connect_timeout.seconds = HANDSHAKE_SECONDS
    elif key.inspect:
        message.filter_chain_match.transport_protocol = "tls"  # passing TLS through is not passing anything through
    message.filters.extend(fill.network)
    return CompiledChain(
        message.SerializeToString(deterministic=True),
        tuple(item.SerializeToString(deterministic=True) for item in fill.listener_filters),
        tuple(fill.rows),
    )


def listener_row(socket: Socket, chains: Sequence[CompiledChain], settings: Settings) -> Row:
    """A connection that no chain matches (its SNI is nobody's) is closed."""
    listener = protos.listener.Listener(name=socket.name)
    first, *others = socket.addresses or (settings.every_address,)
    _address(listener.address, first, socket.port)
    for address in others:
        _address(listener.additional_addresses.add().address, address, socket.port)
    listener.per_connection_buffer_limit_bytes.value = BUFFER_BYTES
    listener.enable_reuse_port.value = True  # a socket for each worker: the kernel spreads connections, no lock
    if socket.inspect_tls:
        inspector = listener.listener_filters.add()
        inspector.name = "envoy.filters.listener.tls_inspector"
        inspector.typed_config.CopyFrom(protos.packed(protos.tls_inspector.TlsInspector()))
    extra = dict.fromkeys(item for chain in chains for item in chain.listener_filters)
    body = (
        listener.SerializeToString(deterministic=True)
        + wire.repeated(_LISTENER_FILTERS, extra)
        + wire.repeated(_FILTER_CHAINS, (chain.body for chain in chains))
    )
    return row(types.LISTENER, socket.name, body)


def _address(message: object, address: str, port: int) -> None:
    place = message.socket_address  # type: ignore[attr-defined]
    place.address = address
    place.port_value = port
    place.ipv4_compat = address == "::"
