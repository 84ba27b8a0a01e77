"""Whether every reference in a Table resolves: clusters of routes, RDS names of listeners, EDS names, secrets.

Envoy takes most dangling references silently (a route to an unknown cluster answers 503, a listener whose routes
never come waits), so that nothing but a look at the whole Table finds them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sampan.envoy import protos
from sampan.envoy.table import Row, Table
from sampan.envoy.types import CLUSTER, ENDPOINT, ROUTE, SECRET, word
from sampan.envoy.walk import walk


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """`owner` (type, name) needs the resource `name` of `type`."""

    type: str
    name: str
    owner_type: str
    owner: str

    def __str__(self) -> str:
        return f"{word(self.owner_type)} {self.owner} refers to {word(self.type)} {self.name}"


def dangling(table: Table, also: Iterable[tuple[str, str]] = ()) -> tuple[Reference, ...]:
    """References to what the Table does not have, in order. `also` are (type, name) that the proxy has by other means
    (the bootstrap's own cluster)."""
    known = {(item.type, item.name) for item in table} | set(also)
    return tuple(sorted({found for found in references(table) if (found.type, found.name) not in known}))


def unused(table: Table) -> tuple[tuple[str, str], ...]:
    """(type, name) of ENDPOINT, ROUTE and SECRET rows that nothing refers to: Envoy never subscribes to them."""
    needed = {(found.type, found.name) for found in references(table)}
    return tuple(
        sorted(
            (item.type, item.name)
            for item in table
            if item.type in (ENDPOINT, ROUTE, SECRET) and (item.type, item.name) not in needed
        )
    )


def references(table: Table) -> Iterator[Reference]:
    """Every reference of every row, as often as it stands there."""
    for item in table:
        for type_url, name in references_of(item):
            yield Reference(type_url, name, item.type, item.name)


def references_of(item: Row) -> list[tuple[str, str]]:
    """(type, name) of what one row refers to."""
    message_class = protos.message_class(item.type)
    found: list[tuple[str, str]] = []
    if message_class is None or item.type in (ENDPOINT, SECRET):
        return found

    def visit(message: Any) -> bool:
        read = _READERS.get(message.DESCRIPTOR.full_name)
        if read is not None:
            found.extend((type_url, name) for type_url, name in read(message) if name)
        return False

    walk(message_class.FromString(item.body), visit)
    return found


Found = Iterable[tuple[str, str]]


def _cluster(message: Any) -> Found:
    if message.type == message.EDS and message.WhichOneof("cluster_discovery_type") == "type":
        yield ENDPOINT, message.eds_cluster_config.service_name or message.name


def _route_action(message: Any) -> Found:
    yield CLUSTER, message.cluster
    for part in message.weighted_clusters.clusters:
        yield CLUSTER, part.name
    for policy in message.request_mirror_policies:
        yield CLUSTER, policy.cluster


def _tcp_proxy(message: Any) -> Found:
    yield CLUSTER, message.cluster
    for part in message.weighted_clusters.clusters:
        yield CLUSTER, part.name


def _secret(message: Any) -> Found:
    if message.HasField("sds_config"):
        yield SECRET, message.name


def _rds(message: Any) -> Found:
    yield ROUTE, message.route_config_name


_NETWORK = "envoy.extensions.filters.network."
_READERS: dict[str, Callable[[Any], Found]] = {
    "envoy.config.cluster.v3.Cluster": _cluster,
    "envoy.config.route.v3.RouteAction": _route_action,
    "envoy.config.core.v3.HttpUri": lambda message: [(CLUSTER, message.cluster)],
    "envoy.config.core.v3.GrpcService.EnvoyGrpc": lambda message: [(CLUSTER, message.cluster_name)],
    "envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig": _secret,
    f"{_NETWORK}http_connection_manager.v3.Rds": _rds,
    f"{_NETWORK}tcp_proxy.v3.TcpProxy": _tcp_proxy,
}
