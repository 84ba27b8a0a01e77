"""What a generator counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

Failure = Literal["connect", "reset", "status", "timeout", "stream", "protocol"]
"""connect: no connection or handshake; reset: the connection ended before the answer; status: not a 2xx; timeout: no
answer in time; stream: a stream (HTTP/2, gRPC, WebSocket) broke off; protocol: an answer that makes no sense."""

STEP = 0.001
"""Seconds: the width of a bucket. Everything beyond the last falls into it."""
BUCKETS = 10_000


@dataclass(slots=True)
class Tally:
    """`latency` runs from the scheduled moment to the whole answer; `lateness` from there to the actual sending."""

    sent: int = 0
    succeeded: int = 0
    connections: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    latency: Counter[int] = field(default_factory=Counter)
    lateness: Counter[int] = field(default_factory=Counter)
    began: float = 0.0
    ended: float = 0.0

    def send(self, late: float) -> None:
        self.sent += 1
        self.lateness[min(BUCKETS, int(late / STEP))] += 1

    def succeed(self, seconds: float) -> None:
        self.succeeded += 1
        self.latency[min(BUCKETS, int(seconds / STEP))] += 1

    def fail(self, kind: Failure, what: str, now: float) -> None:
        """`what` says more about it; the first few are kept."""
        self.failures[kind] += 1
        if len(self.examples) < 20:
            self.examples.append(f"{now:.3f} {kind}: {what}")

    def json(self) -> dict[str, Any]:
        seconds = max(self.ended - self.began, 1e-9)
        return {
            "sent": self.sent,
            "succeeded": self.succeeded,
            "failed": sum(self.failures.values()),
            "failures": dict(self.failures),
            "examples": self.examples,
            "connections": self.connections,
            "seconds": round(seconds, 2),
            "rate": round(self.sent / seconds, 1),
            "latency_ms": {name: of(self.latency, share) for name, share in _SHARES},
            "lateness_ms": {name: of(self.lateness, share) for name, share in _SHARES},
        }


_SHARES = (("p50", 0.5), ("p99", 0.99), ("max", 1.0))


def of(buckets: Counter[int], share: float) -> float:
    """The percentile in ms, as the upper end of its bucket."""
    left = share * buckets.total()
    for bucket in sorted(buckets):
        left -= buckets[bucket]
        if left <= 1e-9:
            return round((bucket + 1) * STEP * 1e3, 1)
    return 0.0
