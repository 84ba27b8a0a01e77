"""How long things may take."""

from __future__ import annotations

from sampan.model.policy import Level, PolicyKind
from sampan.policies.timeout.spec import SHIPPED, Timeout, TimeoutSettings, inline, problems

POLICY = PolicyKind(
    kind="Timeout",
    spec=Timeout,
    settings=TimeoutSettings,
    shipped=SHIPPED,
    levels=frozenset({Level.GATEWAY, Level.LISTENER, Level.ROUTE, Level.RULE, Level.SERVICE}),
    compiler="sampan.policies.timeout.envoy",
    inline=inline,
    problems=problems,
    route_kinds=frozenset({"HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute"}),
)
