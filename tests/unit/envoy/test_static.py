"""A Table without xDS, and small cuts of a RouteConfiguration."""

from __future__ import annotations

from sampan.envoy import protos
from sampan.envoy.static import places, static_bootstrap, subset, trial_bootstrap
from sampan.envoy.table import row, table
from sampan.envoy.types import CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET


def routes() -> bytes:
    message = protos.route.RouteConfiguration(name="r")
    for host in range(3):
        added = message.virtual_hosts.add(name=f"h{host}", domains=[f"{host}.example.com"])
        for index in range(4):
            added.routes.add(name=f"{host}-{index}").match.prefix = f"/{index}"
    message.request_headers_to_remove.append("x-secret")
    return bytes(message.SerializeToString())


def test_places_count_routes_by_host() -> None:
    assert places(routes()) == tuple((host, index) for host in range(3) for index in range(4))


def test_a_subset_keeps_the_wanted_routes_and_what_stands_around_them() -> None:
    cut = protos.route.RouteConfiguration.FromString(subset(routes(), [(2, 3), (0, 1), (2, 0)]))
    assert [host.name for host in cut.virtual_hosts] == ["h0", "h2"]
    assert [route.name for host in cut.virtual_hosts for route in host.routes] == ["0-1", "2-0", "2-3"]
    assert cut.request_headers_to_remove == ["x-secret"]
    assert subset(routes(), places(routes())) == routes()


def test_a_trial_holds_the_routes_and_no_clusters() -> None:
    bootstrap = protos.bootstrap.Bootstrap.FromString(trial_bootstrap(routes()))
    assert not bootstrap.static_resources.clusters
    manager = protos.http.HttpConnectionManager()
    assert bootstrap.static_resources.listeners[0].filter_chains[0].filters[0].typed_config.Unpack(manager)
    assert len(manager.route_config.virtual_hosts) == 3
    assert manager.route_config.HasField("validate_clusters")
    assert not manager.route_config.validate_clusters.value


def test_routes_endpoints_and_secrets_are_inlined() -> None:
    listener = protos.listener.Listener(name="l")
    manager = protos.http.HttpConnectionManager(stat_prefix="l")
    manager.rds.route_config_name = "r"
    listener.filter_chains.add().filters.add(name="http").typed_config.Pack(manager)
    context = protos.tls.DownstreamTlsContext()
    sds = context.common_tls_context.tls_certificate_sds_secret_configs.add(name="s")
    sds.sds_config.ads.SetInParent()
    listener.filter_chains[0].transport_socket.typed_config.Pack(context)
    cluster = protos.cluster.Cluster(name="c", type=protos.cluster.Cluster.EDS)
    cluster.eds_cluster_config.service_name = "e"
    endpoints = protos.endpoint.ClusterLoadAssignment(cluster_name="e")
    endpoints.endpoints.add().lb_endpoints.add().endpoint.address.socket_address.port_value = 80
    whole = table(
        row(type_url, name, message.SerializeToString())
        for type_url, name, message in (
            (LISTENER, "l", listener),
            (CLUSTER, "c", cluster),
            (ENDPOINT, "e", endpoints),
            (SECRET, "s", protos.tls.Secret(name="s")),
        )
    ).with_rows([row(ROUTE, "r", routes())])

    static = protos.bootstrap.Bootstrap.FromString(static_bootstrap(whole)).static_resources

    chain = static.listeners[0].filter_chains[0]
    assert chain.filters[0].typed_config.Unpack(manager)
    assert manager.route_config.name == "r"
    assert chain.transport_socket.typed_config.Unpack(context)
    assert not context.common_tls_context.tls_certificate_sds_secret_configs[0].HasField("sds_config")
    assert static.clusters[0].type == protos.cluster.Cluster.STATIC
    assert static.clusters[0].load_assignment == endpoints
    assert static.secrets[0].name == "s"
