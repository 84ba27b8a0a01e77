"""A policy from outside, for tests: puts into Envoy's messages what only Envoy can judge."""

from __future__ import annotations

from raw_route_plugin.spec import RawRoute, RawRouteSettings
from sampan.model.policy import Level, PolicyKind

POLICY = PolicyKind(
    kind="RawRoute",
    spec=RawRoute,
    settings=RawRouteSettings,
    shipped=RawRouteSettings.model_construct(),
    levels=frozenset({Level.GATEWAY, Level.ROUTE, Level.RULE, Level.SERVICE}),
    compiler="raw_route_plugin.envoy",
)
