"""RawRouteSettings in Envoy's messages."""

from __future__ import annotations

from raw_route_plugin.spec import RawRouteSettings
from sampan.compile.hooks import RouteFill


def route(value: RawRouteSettings, fill: RouteFill) -> None:
    if fill.forward is not None and value.path_regex is not None:
        fill.forward.regex_rewrite.pattern.regex = value.path_regex
        fill.forward.regex_rewrite.substitution = "/"
    if value.operation is not None:
        fill.route.decorator.operation = value.operation
