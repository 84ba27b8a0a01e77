"""A Table as a configuration without xDS, for `envoy --mode validate -c FILE.pb` (the suffix tells Envoy the format).

`static_bootstrap` holds everything a Table has; `trial_bootstrap` as little as can be wrong in one RouteConfiguration.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sampan.envoy import protos, wire
from sampan.envoy.runtime import runtime_field
from sampan.envoy.table import Row, Table
from sampan.envoy.types import CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET
from sampan.envoy.walk import walk

_HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_SDS = "envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig"
_VIRTUAL_HOSTS, _ROUTES = 2, 3  # RouteConfiguration.virtual_hosts, VirtualHost.routes
_VALIDATE_CLUSTERS = 7  # RouteConfiguration.validate_clusters
_ROUTE_CONFIG = 4  # HttpConnectionManager.route_config
_LISTENERS, _CLUSTERS, _SECRETS = 1, 2, 3  # Bootstrap.StaticResources
_STATIC_RESOURCES = 2  # Bootstrap.static_resources

Place = tuple[int, int]
"""A route: index of its virtual host, index in that host."""


def static_bootstrap(table: Table) -> bytes:
    """The whole Table as one Bootstrap: routes and endpoints inlined, secrets static. Serialised protobuf."""
    resources = b"".join(
        (
            wire.repeated(_LISTENERS, (_static_listener(item, table) for item in table.of(LISTENER).values())),
            wire.repeated(_CLUSTERS, (_static_cluster(item, table) for item in table.of(CLUSTER).values())),
            wire.repeated(_SECRETS, (item.body for item in table.of(SECRET).values())),
        )
    )
    return wire.field(_STATIC_RESOURCES, resources) + runtime_field()


def trial_bootstrap(route_configuration: bytes) -> bytes:
    """The smallest Bootstrap that makes Envoy judge these routes: one listener, no clusters, clusters not looked up.

    `route_configuration` is a serialised RouteConfiguration, whole or a `subset`.
    """
    unchecked = route_configuration + wire.field(_VALIDATE_CLUSTERS, b"")  # BoolValue false; the last one counts
    manager = protos.http.HttpConnectionManager(stat_prefix="trial")
    manager.http_filters.add(name="router").typed_config.Pack(protos.router.Router())
    listener = protos.listener.Listener(name="trial")
    listener.address.socket_address.address = "127.0.0.1"
    listener.address.socket_address.port_value = 1  # never bound: validating opens no sockets
    config = listener.filter_chains.add().filters.add(name="http").typed_config
    config.type_url = f"type.googleapis.com/{_HCM}"
    config.value = manager.SerializeToString() + wire.field(_ROUTE_CONFIG, unchecked)
    return wire.field(_STATIC_RESOURCES, wire.field(_LISTENERS, listener.SerializeToString())) + runtime_field()


def places(route_configuration: bytes) -> tuple[Place, ...]:
    """Every route of a serialised RouteConfiguration, in order."""
    return tuple(
        (host, index)
        for host, body in enumerate(_bodies(route_configuration, _VIRTUAL_HOSTS))
        for index, _ in enumerate(_bodies(body, _ROUTES))
    )


def subset(route_configuration: bytes, keep: Collection[Place]) -> bytes:
    """The RouteConfiguration with only these routes, in order, and only the virtual hosts that have one of them. What
    stands at the RouteConfiguration and at the kept hosts themselves stays."""
    wanted: dict[int, set[int]] = {}
    for host, index in keep:
        wanted.setdefault(host, set()).add(index)
    parts: list[bytes] = []
    host = -1
    for number, whole, body in wire.fields(route_configuration):
        if number != _VIRTUAL_HOSTS:
            parts.append(whole)
            continue
        host += 1
        if host in wanted:
            parts.append(wire.field(_VIRTUAL_HOSTS, _host_with(body, wanted[host])))
    return b"".join(parts)


def _host_with(virtual_host: bytes, indices: Collection[int]) -> bytes:
    parts: list[bytes] = []
    index = -1
    for number, whole, _ in wire.fields(virtual_host):
        if number == _ROUTES:
            index += 1
            if index not in indices:
                continue
        parts.append(whole)
    return b"".join(parts)


def _bodies(message: bytes, number: int) -> Iterable[bytes]:
    return (body for found, _, body in wire.fields(message) if found == number)


def _static_listener(item: Row, table: Table) -> bytes:
    listener = protos.listener.Listener.FromString(item.body)
    walk(listener, _without_sds)
    chains = [*listener.filter_chains]
    if listener.HasField("default_filter_chain"):
        chains.append(listener.default_filter_chain)
    for chain in chains:
        for network_filter in chain.filters:
            if network_filter.typed_config.type_url.endswith(f"/{_HCM}"):
                _inline_routes(network_filter.typed_config, table)
    return bytes(listener.SerializeToString())


def _inline_routes(packed: Any, table: Table) -> None:
    """Routes into an HttpConnectionManager, as bytes. A RouteConfiguration that is not there becomes an empty one."""
    manager = protos.http.HttpConnectionManager.FromString(packed.value)
    if not manager.HasField("rds"):
        return
    routes = table.get(ROUTE, manager.rds.route_config_name)
    body = (
        routes.body
        if routes
        else protos.route.RouteConfiguration(name=manager.rds.route_config_name).SerializeToString()
    )
    manager.ClearField("rds")
    packed.value = manager.SerializeToString() + wire.field(_ROUTE_CONFIG, body)


def _static_cluster(item: Row, table: Table) -> bytes:
    cluster = protos.cluster.Cluster.FromString(item.body)
    walk(cluster, _without_sds)
    if cluster.WhichOneof("cluster_discovery_type") == "type" and cluster.type == cluster.EDS:
        name = cluster.eds_cluster_config.service_name or cluster.name
        cluster.ClearField("eds_cluster_config")
        cluster.type = cluster.STATIC
        endpoints = table.get(ENDPOINT, name)
        if endpoints:
            cluster.load_assignment.MergeFromString(endpoints.body)
        cluster.load_assignment.cluster_name = name
    return bytes(cluster.SerializeToString())


def _without_sds(message: Any) -> bool:
    """A secret's name without a source is looked up among the static secrets."""
    if message.DESCRIPTOR.full_name != _SDS or not message.HasField("sds_config"):
        return False
    message.ClearField("sds_config")
    return True
