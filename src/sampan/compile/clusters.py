"""Upstream → Cluster, and why each setting is what it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sampan.compile.endpoints import fill_endpoints
from sampan.compile.hooks import ClusterFill, Hooks
from sampan.compile.memo import Cells, Memo
from sampan.compile.settings import Settings
from sampan.compile.transport import fill_over_ads, fill_upstream
from sampan.envoy import protos, types
from sampan.envoy.table import Row, Rows, row
from sampan.model.names import resource_name
from sampan.model.plan import Upstream

BUFFER_BYTES = 32 * 1024  # Envoy's "edge best practices"; what a slow client can make the proxy hold of one stream
STREAM_WINDOW_BYTES = 256 * 1024
CONNECTION_WINDOW_BYTES = 1024 * 1024
CONNECT_SECONDS = 5
IDLE_SECONDS = 4
UNLIMITED = 2**32 - 1
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
NOWHERE = resource_name("nowhere")


@dataclass(frozen=True, slots=True, eq=False)
class CompiledClusters:
    """Of a Plan's upstreams. `extra` are rows that policies need beside them, `kept` is for the next run."""

    rows: Rows
    extra: tuple[Row, ...]
    kept: Cells[Upstream, tuple[Row, ...]]


def compile_clusters(
    upstreams: Mapping[str, Upstream], hooks: Hooks, memo: Memo, settings: Settings
) -> CompiledClusters:
    """All of a Plan's. A Plan whose upstreams are the same mapping as the last one's costs no look at each."""
    compiled = memo.clusters.get(upstreams)
    if compiled is not None:
        memo.upstreams.keep(compiled.kept)
        return compiled
    build = partial(cluster_rows, hooks, settings)
    found = [memo.upstreams.of(upstream, build) for upstream in upstreams.values()]
    rows = {own.name: own for own, *_ in found}
    extra = tuple(row for rows in found for row in rows[1:])
    kept = memo.upstreams.cells(upstreams.values())
    return memo.clusters.put(upstreams, CompiledClusters(rows, extra, kept))


def cluster_rows(hooks: Hooks, settings: Settings, upstream: Upstream) -> tuple[Row, ...]:
    """The Cluster, and what rows the policies of the upstream need beside it."""
    cluster = protos.cluster.Cluster(name=upstream.name)
    _discovery(cluster, upstream)
    cluster.connect_timeout.seconds = CONNECT_SECONDS
    cluster.per_connection_buffer_limit_bytes.value = BUFFER_BYTES
    _balancing(cluster)
    _limits(cluster)
    _keepalive(cluster)
    if upstream.tls is not None:
        fill_upstream(cluster.transport_socket, upstream.tls, upstream.protocol, settings)
    http = None if upstream.protocol == "tcp" else _http(upstream.protocol)
    fill = ClusterFill(upstream, cluster, http)
    hooks.cluster(upstream.policies, fill)
    if http is not None:
        cluster.typed_extension_protocol_options[HTTP_OPTIONS].CopyFrom(protos.packed(http))
    return (row(types.CLUSTER, upstream.name, cluster.SerializeToString(deterministic=True)), *fill.rows)


def nowhere_row() -> Row:
    """A cluster without endpoints: a connection sent to it is closed."""
    cluster = protos.cluster.Cluster(name=NOWHERE, type=protos.cluster.Cluster.STATIC)
    return row(types.CLUSTER, NOWHERE, cluster.SerializeToString())


def _discovery(cluster: Any, upstream: Upstream) -> None:
    """`service_name` is the group: upstreams of one Service and port that differ in TLS or policies share endpoints."""
    if upstream.discovery == "endpoints":
        cluster.type = protos.cluster.Cluster.EDS
        cluster.eds_cluster_config.service_name = upstream.group
        fill_over_ads(cluster.eds_cluster_config.eds_config)
        return
    cluster.type = protos.cluster.Cluster.STRICT_DNS
    cluster.load_assignment.cluster_name = upstream.name
    fill_endpoints(cluster.load_assignment, upstream.endpoints)
    # Every answer is an endpoint of its own here (no "happy eyeballs"), so addresses of a family that the machine
    # cannot reach would fail their share of requests: IPv6 only where there is no IPv4.
    cluster.dns_lookup_family = protos.cluster.Cluster.V4_PREFERRED
    cluster.respect_dns_ttl = True
    cluster.dns_refresh_rate.seconds = 30  # where the answer has no time to live
    cluster.dns_failure_refresh_rate.base_interval.seconds = 1
    cluster.dns_failure_refresh_rate.max_interval.seconds = 10


def _balancing(cluster: Any) -> None:
    """Least request of two picked at random: near to round robin while all endpoints are alike, and it turns away from
    one that has become slow, which round robin does not.

    In panic Envoy sends to unhealthy endpoints too. It does so here only if none is healthy (1 %; 50 by default), so
    that draining endpoints get new requests when no other is left and at no other time.
    """
    cluster.lb_policy = protos.cluster.Cluster.LEAST_REQUEST
    cluster.common_lb_config.healthy_panic_threshold.value = 1
    cluster.ignore_health_on_host_removal = True


def _limits(cluster: Any) -> None:
    """No limit unless a policy sets one: Envoy's 1,024 connections, pending requests and requests, and 3 retries at a
    time, are answered with 503 as soon as a busy service takes a little longer. What the proxy itself can bear is the
    overload manager's business."""
    thresholds = cluster.circuit_breakers.thresholds.add()
    for limit in (
        *(thresholds.max_connections, thresholds.max_pending_requests),
        *(thresholds.max_requests, thresholds.max_retries),
    ):
        limit.value = UNLIMITED


def _keepalive(cluster: Any) -> None:
    """Finds within 90 s that a machine is gone without a word. HTTP/2 pings would find it sooner, but gRPC servers hang
    up on clients that ping often ("too_many_pings")."""
    keepalive = cluster.upstream_connection_options.tcp_keepalive
    keepalive.keepalive_time.value = 60
    keepalive.keepalive_interval.value = 10
    keepalive.keepalive_probes.value = 3


def _http(protocol: str) -> Any:
    """An idle HTTP/1.1 connection is closed before the server closes it (Node.js, uvicorn and Apache do after 5 s): a
    request sent into a connection that is being closed fails, and not every request may be repeated. HTTP/2 says
    goodbye in good order (GOAWAY), so its connections may rest."""
    options = protos.http_options.HttpProtocolOptions()
    if protocol == "http2":
        http2 = options.explicit_http_config.http2_protocol_options
        http2.initial_stream_window_size.value = STREAM_WINDOW_BYTES
        http2.initial_connection_window_size.value = CONNECTION_WINDOW_BYTES
    else:
        options.explicit_http_config.http_protocol_options.SetInParent()
        options.common_http_protocol_options.idle_timeout.seconds = IDLE_SECONDS
    return options
