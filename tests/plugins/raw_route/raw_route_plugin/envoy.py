"""RawRouteSettings in Envoy's messages."""

from __future__ import annotations

from raw_route_plugin.spec import RawRouteSettings
from sampan.compile.hooks import ClusterFill, ConnectionFill, RouteFill


def route(value: RawRouteSettings, fill: RouteFill) -> None:
    if value.bug is not None:
        raise RuntimeError(value.bug)
    if fill.forward is not None and value.path_regex is not None:
        fill.forward.regex_rewrite.pattern.regex = value.path_regex
        fill.forward.regex_rewrite.substitution = "/"
    if value.operation is not None:
        fill.route.decorator.operation = value.operation


def cluster(value: RawRouteSettings, fill: ClusterFill) -> None:
    if value.ejected_percent is not None:
        fill.cluster.outlier_detection.enforcing_consecutive_5xx.value = value.ejected_percent


def connection(value: RawRouteSettings, fill: ConnectionFill) -> None:
    if value.stat_prefix is not None:
        fill.manager.stat_prefix = value.stat_prefix
