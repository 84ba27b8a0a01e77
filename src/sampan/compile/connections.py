"""HttpApplication → the HTTP connection manager of its filter chain, and why each setting is what it is."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from sampan.compile.filters import HttpFilter, Slot, filter_of, in_order
from sampan.compile.hooks import ConnectionFill, Hooks
from sampan.compile.transport import fill_over_ads
from sampan.envoy import protos
from sampan.model.plan import HttpApplication

NETWORK_FILTER = "envoy.filters.network.http_connection_manager"
CONNECTION_IDLE_SECONDS = 3600
HEADERS_SECONDS = 60
MAX_STREAMS = 100
STREAM_WINDOW_BYTES = 64 * 1024
CONNECTION_WINDOW_BYTES = 1024 * 1024


def connection(application: HttpApplication, by_route: Iterable[HttpFilter], hooks: Hooks) -> ConnectionFill:
    """`by_route` are the filters that routes switch on for themselves. The network filters come out complete, the
    manager last."""
    manager = protos.http.HttpConnectionManager()
    manager.stat_prefix = application.name
    manager.rds.route_config_name = application.name
    fill_over_ads(manager.rds.config_source)
    _protocols(manager)
    _times(manager)
    _paths(manager)
    _headers(manager)
    fill = ConnectionFill(application, manager)
    hooks.connection(application.policies, fill)
    _filters(manager, by_route, fill.filters)
    last = protos.listener.Filter(name=NETWORK_FILTER)
    last.typed_config.CopyFrom(protos.packed(manager))
    fill.network.append(last)
    return fill


def _protocols(manager: Any) -> None:
    """HTTP/1.1 and HTTP/2, by ALPN or by the first bytes (h2c with prior knowledge). Streams and windows as Envoy's
    "edge best practices" have them. WebSockets, also over HTTP/2 (RFC 8441)."""
    manager.codec_type = protos.http.HttpConnectionManager.AUTO
    http2 = manager.http2_protocol_options
    http2.max_concurrent_streams.value = MAX_STREAMS
    http2.initial_stream_window_size.value = STREAM_WINDOW_BYTES
    http2.initial_connection_window_size.value = CONNECTION_WINDOW_BYTES
    http2.allow_connect = True
    manager.upgrade_configs.add().upgrade_type = "websocket"


def _times(manager: Any) -> None:
    """Headers that trickle in (slow loris) end after a minute with 408: Envoy starts this timer with the first byte of
    a stream and starts it again only when the headers are complete, and then a route's own limit holds (the Timeout
    policy). `request_headers_timeout` would be a second timer for every request: 1.4 % of its instructions.
    """
    manager.common_http_protocol_options.idle_timeout.seconds = CONNECTION_IDLE_SECONDS
    manager.stream_idle_timeout.seconds = HEADERS_SECONDS


def _paths(manager: Any) -> None:
    """`/a/../b` and `//b` are matched, and sent on, as `/b`: otherwise a request could slip past the rule for `/b` to a
    server that takes them for the same. `%2F` stays as it is: it is no slash (RFC 3986, 2.2), and identifiers in paths
    rightly hold it."""
    manager.normalize_path.value = True
    manager.merge_slashes = True
    manager.path_with_escaped_slashes_action = protos.http.HttpConnectionManager.KEEP_UNCHANGED


def _headers(manager: Any) -> None:
    """The client is whoever connected: what it says of itself in `X-Forwarded-For` and `X-Envoy-…` is not believed, and
    its address is added. The upstream's own `Server` passes, none is made up.

    A header with an underscore is dropped, as nginx does: `X_User` and `X-User` are the same to CGI and WSGI programs,
    so it could pass for a header that the gateway sets or removes.
    """
    manager.use_remote_address.value = True
    manager.generate_request_id.value = True
    manager.server_header_transformation = protos.http.HttpConnectionManager.PASS_THROUGH
    manager.strip_trailing_host_dot = True
    options = manager.common_http_protocol_options
    options.headers_with_underscores_action = protos.core.HttpProtocolOptions.DROP_HEADER


@cache
def _router() -> HttpFilter:
    """Without the `X-Envoy-…` headers, which nobody asked for. `dynamic_stats` stays on: without it a route counts
    neither answers by status nor times (seen with 1.40)."""
    router = protos.router.Router()
    router.suppress_envoy_headers = True
    return filter_of(Slot.ROUTE, "envoy.filters.http.router", router)


def _filters(manager: Any, by_route: Iterable[HttpFilter], always: Iterable[HttpFilter]) -> None:
    everywhere = {*always, _router()}
    for item in in_order({*by_route, *everywhere}):
        message = manager.http_filters.add()
        message.name = item.name
        message.typed_config.type_url = item.type_url
        message.typed_config.value = item.value
        message.disabled = item not in everywhere
