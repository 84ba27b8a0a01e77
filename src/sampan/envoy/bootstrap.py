"""How a proxy starts: its node, its admin socket, and where its configuration comes from.

A row too (`bootstrap(...)` gives the same bytes for the same arguments): a change of it means a restart of the proxy.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sampan.envoy.runtime import layered_runtime

XDS_CLUSTER = "xds"
"""The bootstrap's own cluster, towards the control plane; its statistics are `cluster.xds.*`."""

_ADS = {"ads": {}, "resource_api_version": "V3"}
_FIXED_HTTP2 = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

UNASKED_STATISTICS = ({"safe_regex": {"regex": r"vhost\..*\.upstream_rq_(retry.*|timeout)"}},)
"""Six counters of a route are made anew at every change of its table, asked for or not, and were two fifths of the time
that a change of one route in 10,000 takes. Retries and timeouts are counted for each cluster, and a route's timeouts
are its 504; what it answered (`upstream_rq_completed`, `_2xx`, …, `_time`) comes with the first request and stays."""


@dataclass(frozen=True, slots=True)
class Start:
    """What a bootstrap says. Sockets are paths of Unix sockets; seconds are whole or parts.

    `max_connections` bounds the connections of all listeners together (the process's file descriptors run out at about
    half as many requests in flight: a connection in, a connection out). `fetch_timeout` 0 means that a proxy is ready
    only when the control plane, or the replay of its last rows, has answered: never with half a configuration.
    """

    node_id: str
    cluster: str
    xds_socket: str
    admin_socket: str
    max_connections: int = 50_000
    fetch_timeout: float = 0.0


def bootstrap(start: Start) -> bytes:
    """The bootstrap as JSON (`envoy -c FILE.json`): delta ADS over the control plane's Unix socket."""
    return json.dumps(_document(start), indent=1, sort_keys=True).encode()


def _document(start: Start) -> dict[str, Any]:
    source = {**_ADS, "initial_fetch_timeout": _seconds(start.fetch_timeout)}
    return {
        "node": {"id": start.node_id, "cluster": start.cluster},
        "admin": {"address": {"pipe": {"path": start.admin_socket, "mode": 0o600}}},
        "dynamic_resources": {"ads_config": _ads(), "cds_config": source, "lds_config": source},
        "static_resources": {"clusters": [_xds_cluster(start.xds_socket)]},
        # A cluster's statistics exist from its first request on: 20 MB and 0.1 s less at 1,000 clusters (measured).
        "deferred_stat_options": {"enable_deferred_creation_stats": True},
        # No timer; who asks gets histograms as of now, not of some seconds ago.
        "stats_flush_on_admin": True,
        "stats_config": {"stats_matcher": {"exclusion_list": {"patterns": list(UNASKED_STATISTICS)}}},
        "overload_manager": _overload(start.max_connections),
        "layered_runtime": layered_runtime(),
    }


def _ads() -> dict[str, Any]:
    """Without this back-off Envoy is back only 4 to 24 s after the control plane is (measured)."""
    back_off = {"base_interval": "0.1s", "max_interval": "1s"}
    return {
        "api_type": "DELTA_GRPC",
        "transport_api_version": "V3",
        "set_node_on_first_message_only": True,
        "grpc_services": [
            {"envoy_grpc": {"cluster_name": XDS_CLUSTER, "retry_policy": {"retry_back_off": back_off}}},
        ],
    }


def _xds_cluster(path: str) -> dict[str, Any]:
    """HTTP/2 with pings: a control plane that hangs is noticed, not only one whose socket closes."""
    keepalive = {"interval": "10s", "timeout": "5s"}
    options = {"connection_keepalive": keepalive}
    return {
        "name": XDS_CLUSTER,
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {
            _FIXED_HTTP2: {
                "@type": f"type.googleapis.com/{_FIXED_HTTP2}",
                "explicit_http_config": {"http2_protocol_options": options},
            }
        },
        "load_assignment": {
            "cluster_name": XDS_CLUSTER,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"pipe": {"path": path}}}}]}],
        },
    }


def _overload(max_connections: int) -> dict[str, Any]:
    """Without a limit Envoy warns at every start, rightly: it would take connections until descriptors run out."""
    name = "envoy.resource_monitors.global_downstream_max_connections"
    config = "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"
    return {
        "resource_monitors": [
            {
                "name": name,
                "typed_config": {
                    "@type": f"type.googleapis.com/{config}",
                    "max_active_downstream_connections": max_connections,
                },
            }
        ]
    }


def _seconds(value: float) -> str:
    return f"{value:.9f}".rstrip("0").rstrip(".") + "s"
