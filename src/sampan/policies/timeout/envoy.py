"""TimeoutSettings in Envoy's messages.

Envoy starts counting `timeout` when the request has been read to its end; `per_try_timeout` stands in the retry policy
but holds without any retries too.
"""

from __future__ import annotations

from sampan.compile.durations import fill_duration
from sampan.compile.hooks import ClusterFill, RouteFill, StreamFill
from sampan.policies.timeout.spec import TimeoutSettings


def route(value: TimeoutSettings, fill: RouteFill) -> None:
    if fill.forward is None:
        return
    fill_duration(fill.forward.timeout, value.request or 0)
    if value.idle is not None:
        fill_duration(fill.forward.idle_timeout, value.idle)
    if value.backend_request:
        fill_duration(fill.forward.retry_policy.per_try_timeout, value.backend_request)


def cluster(value: TimeoutSettings, fill: ClusterFill) -> None:
    if value.connect is not None:
        fill_duration(fill.cluster.connect_timeout, value.connect)


def stream(value: TimeoutSettings, fill: StreamFill) -> None:
    if value.idle is not None:
        fill_duration(fill.proxy.idle_timeout, value.idle)
