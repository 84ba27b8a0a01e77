"""Dangling references are found wherever they hide: inside an Any, a weighted split, a TLS context."""

from __future__ import annotations

from sampan.envoy import protos
from sampan.envoy.consistent import Reference, dangling, unused
from sampan.envoy.table import Row, row, table
from sampan.envoy.types import CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET


def listener() -> Row:
    message = protos.listener.Listener(name="l")
    manager = protos.http.HttpConnectionManager(stat_prefix="l")
    manager.rds.route_config_name = "r"
    manager.rds.config_source.ads.SetInParent()
    chain = message.filter_chains.add()
    chain.filters.add(name="http").typed_config.Pack(manager)
    context = protos.tls.DownstreamTlsContext()
    secret = context.common_tls_context.tls_certificate_sds_secret_configs.add(name="certificate")
    secret.sds_config.ads.SetInParent()
    chain.transport_socket.name = "tls"
    chain.transport_socket.typed_config.Pack(context)
    tcp = protos.tcp_proxy.TcpProxy(stat_prefix="t")
    tcp.weighted_clusters.clusters.add(name="tcp", weight=1)
    message.default_filter_chain.filters.add(name="tcp").typed_config.Pack(tcp)
    return row(LISTENER, "l", message.SerializeToString())


def routes() -> Row:
    message = protos.route.RouteConfiguration(name="r")
    host = message.virtual_hosts.add(name="h")
    host.routes.add().route.weighted_clusters.clusters.add(name="v1")
    action = host.routes.add().route
    action.cluster = "v2"
    action.request_mirror_policies.add(cluster="mirror")
    return row(ROUTE, "r", message.SerializeToString())


def cluster(name: str) -> Row:
    message = protos.cluster.Cluster(name=name, type=protos.cluster.Cluster.EDS)
    return row(CLUSTER, name, message.SerializeToString())


def test_everything_that_is_missing_is_named_with_its_owner() -> None:
    assert dangling(table([listener(), routes(), cluster("v1")])) == (
        Reference(CLUSTER, "mirror", ROUTE, "r"),
        Reference(CLUSTER, "tcp", LISTENER, "l"),
        Reference(CLUSTER, "v2", ROUTE, "r"),
        Reference(ENDPOINT, "v1", CLUSTER, "v1"),
        Reference(SECRET, "certificate", LISTENER, "l"),
    )
    assert dangling(table([listener()]), also=[(CLUSTER, "tcp"), (SECRET, "certificate")]) == (
        Reference(ROUTE, "r", LISTENER, "l"),
    )


def test_a_whole_table_has_nothing_dangling_and_nothing_unused() -> None:
    names = ("v1", "v2", "mirror", "tcp")
    whole = table(
        [listener(), routes(), row(SECRET, "certificate", b"")]
        + [cluster(name) for name in names]
        + [row(ENDPOINT, name, b"") for name in names]
    )
    assert dangling(whole) == ()
    assert unused(whole) == ()
    assert unused(whole.with_rows([row(SECRET, "old", b"")])) == ((SECRET, "old"),)
