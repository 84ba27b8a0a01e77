"""RetrySettings in Envoy's messages.

A retry goes to an endpoint that was not tried yet (`previous_hosts`). Envoy asks the balancer again and again for one,
a number of times, and then takes what comes; so a service with one endpoint is tried again too. The balancer picks at
random: of two endpoints it names the wrong one 21 times in a row once in two million retries, 6 times once in 64.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from sampan.compile.durations import fill_duration
from sampan.compile.hooks import ClusterFill, RouteFill
from sampan.envoy import protos
from sampan.policies.retry.spec import RetrySettings

RESELECTIONS = 20


def route(value: RetrySettings, fill: RouteFill) -> None:
    conditions = list(value.on or ())
    if value.codes:
        conditions.append("retriable-status-codes")  # type: ignore[arg-type]
    if fill.forward is None or not value.attempts or not conditions:
        return
    policy = fill.forward.retry_policy
    policy.retry_on = ",".join(conditions)
    policy.num_retries.value = value.attempts
    policy.retriable_status_codes.extend(value.codes or ())
    if value.backoff:
        fill_duration(policy.retry_back_off.base_interval, value.backoff)
        longest = value.backoff_max or 10 * value.backoff
        # Envoy refuses less than the first; that it is less was said where the settings were merged.
        fill_duration(policy.retry_back_off.max_interval, max(value.backoff, longest))
    policy.retry_host_predicate.append(_not_tried_yet())
    policy.host_selection_retry_max_attempts = RESELECTIONS


def cluster(value: RetrySettings, fill: ClusterFill) -> None:
    if value.budget_percent is None:
        return
    for thresholds in fill.cluster.circuit_breakers.thresholds:
        thresholds.retry_budget.budget_percent.value = value.budget_percent
        thresholds.retry_budget.min_retry_concurrency.value = value.budget_minimum or 0


@cache
def _not_tried_yet() -> Any:
    predicate = protos.route.RetryPolicy.RetryHostPredicate(name="envoy.retry_host_predicates.previous_hosts")
    predicate.typed_config.CopyFrom(protos.packed(protos.previous_hosts.PreviousHostsPredicate()))
    return predicate
