"""What is tried again."""

from __future__ import annotations

from sampan.model.policy import Level, PolicyKind
from sampan.policies.retry.spec import SHIPPED, Retry, RetrySettings, inline, problems

POLICY = PolicyKind(
    kind="Retry",
    spec=Retry,
    settings=RetrySettings,
    shipped=SHIPPED,
    levels=frozenset({Level.GATEWAY, Level.LISTENER, Level.ROUTE, Level.RULE, Level.SERVICE}),
    compiler="sampan.policies.retry.envoy",
    inline=inline,
    problems=problems,
)
