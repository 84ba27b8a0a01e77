"""Who got what, from Envoy's own statistics: two samples of its admin interface make the rows of a table.

Pure: whoever calls fetches STATS_PATH from the admin interface and says at what time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

STATS_PATH = "/stats?format=json&usedonly&filter=^vhost%5C.%7C^tcp%5C."
"""Of the admin interface: statistics of routes (`vhost.<host>.route.<prefix>.*`) and TCP proxies (`tcp.<prefix>.*`).
https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter#statistics"""

_REQUESTS, _ERRORS, _TIMES = "upstream_rq_completed", "upstream_rq_5xx", "upstream_rq_time"
_CONNECTIONS, _REFUSED = "downstream_cx_total", "downstream_cx_no_route"


@dataclass(frozen=True, slots=True)
class Tally:
    """Of one route since Envoy started; p50 and p99 in ms over Envoy's last flush interval (5 s), None if it was idle.

    Envoy counts what an upstream or the router answered: a redirect has no count. An error is a 5xx (a gRPC status is
    in a trailer and does not count); for TCP, requests are connections. Times are whole milliseconds.
    """

    requests: int = 0
    errors: int = 0
    p50: float | None = None
    p99: float | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """All routes at one time; `at` in seconds of any steady clock."""

    at: float
    tallies: Mapping[str, Tally] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One route between two samples: rates per second, and the totals since Envoy started."""

    label: str
    request_rate: float
    error_rate: float
    p50: float | None
    p99: float | None
    requests: int
    errors: int


def sample(body: bytes | str, at: float) -> Sample:
    """Reads what Envoy answered to STATS_PATH. A route that several hosts share is one. Raises ValueError if it is no
    such answer."""
    counts: dict[str, list[int]] = {}
    times: dict[str, tuple[float | None, float | None]] = {}
    try:
        for entry in json.loads(body)["stats"]:
            if "histograms" in entry:
                times.update(_times(entry["histograms"]))
            elif (found := _split(entry["name"])) is not None:
                prefix, statistic = found
                count = counts.setdefault(prefix, [0, 0])
                count[0] += entry["value"] if statistic in (_REQUESTS, _CONNECTIONS) else 0
                count[1] += entry["value"] if statistic in (_ERRORS, _REFUSED) else 0
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not Envoy's statistics: {error!r}") from error
    return Sample(
        at,
        {
            prefix: Tally(requests, errors, *times.get(prefix, (None, None)))
            for prefix, (requests, errors) in counts.items()
        },
    )


def rows(before: Sample, after: Sample, labels: Mapping[str, str]) -> tuple[Row, ...]:
    """What happened between two samples. `labels` says how to show each statistics prefix, and the order; prefixes with
    the same label are one row; a route without a label shows its prefix. Envoy may have restarted in between."""
    seconds = max(after.at - before.at, 1e-9)
    merged: dict[str, list[tuple[Tally, Tally]]] = {label: [] for label in labels.values()}
    for prefix, now in after.tallies.items():
        then = before.tallies.get(prefix, Tally())
        if then.requests > now.requests:
            then = Tally()  # counters began again from 0
        merged.setdefault(labels.get(prefix, prefix), []).append((then, now))
    return tuple(_row(label, pairs, seconds) for label, pairs in merged.items())


def _row(label: str, pairs: list[tuple[Tally, Tally]], seconds: float) -> Row:
    return Row(
        label,
        sum(now.requests - then.requests for then, now in pairs) / seconds,
        sum(max(now.errors - then.errors, 0) for then, now in pairs) / seconds,
        max((now.p50 for _, now in pairs if now.p50 is not None), default=None),
        max((now.p99 for _, now in pairs if now.p99 is not None), default=None),
        sum(now.requests for _, now in pairs),
        sum(now.errors for _, now in pairs),
    )


def _split(name: str) -> tuple[str, str] | None:
    """(prefix, statistic) of `vhost.<host>.route.<prefix>.<statistic>` or `tcp.<prefix>.<statistic>`."""
    owner, _, statistic = name.rpartition(".")
    if owner.startswith("vhost."):
        _, found, prefix = owner.partition(".route.")
        return (prefix, statistic) if found else None
    return (owner[4:], statistic) if owner.startswith("tcp.") else None


def _times(histograms: Mapping[str, Any]) -> dict[str, tuple[float | None, float | None]]:
    quantiles = histograms["supported_quantiles"]
    middle, high = quantiles.index(50), quantiles.index(99)
    times: dict[str, tuple[float | None, float | None]] = {}
    for entry in histograms["computed_quantiles"]:
        found = _split(entry["name"])
        if found is not None and found[1] == _TIMES:
            values = [value["interval"] for value in entry["values"]]
            p50, p99 = times.get(found[0], (None, None))
            times[found[0]] = (_larger(p50, values[middle]), _larger(p99, values[high]))
    return times


def _larger(one: float | None, other: float | None) -> float | None:
    known = [value for value in (one, other) if value is not None]
    return max(known, default=None)
