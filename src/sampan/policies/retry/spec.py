"""The fields of a Retry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from sampan.documents.kinds.scalars import Duration, Integer, duration_text
from sampan.documents.kinds.shape import Mistake, Ruled, duplicates
from sampan.model.policy import Problem
from sampan.policies.targets import Targeted, misplaced

Condition = Literal[
    "connect-failure",
    "refused-stream",
    "reset-before-request",
    "reset",
    "gateway-error",
    "5xx",
    "retriable-4xx",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
]
"""Envoy's names. Envoy itself takes any word and ignores the ones it does not know, so the list is closed here."""

NEVER_SERVED: tuple[Condition, ...] = ("connect-failure", "refused-stream", "reset-before-request")
Status = Annotated[int, Field(strict=True, ge=400, le=599)]


class RetrySettings(Ruled):
    """Off with `attempts: 0`."""

    attempts: Annotated[Integer, Field(ge=0, le=10)] | None = None
    """How often it is tried again, at most. 1 unless set; 0 switches retries off."""
    on: Annotated[tuple[Condition, ...], Field(min_length=1, max_length=12)] | None = None
    """What is tried again. Unless set, what no backend can have acted on: `connect-failure` (no connection),
    `refused-stream` (HTTP/2 says so) and `reset-before-request` (nothing was sent). `reset`: the backend hung up or ran
    out of time (`Timeout`'s `backendRequest`). `gateway-error` (502, 503, 504), `5xx` (any, and what counts as one: no
    answer at all), `retriable-4xx` (409). For gRPC, by its status: `cancelled`, `deadline-exceeded`, `internal`,
    `resource-exhausted`, `unavailable`."""
    codes: Annotated[tuple[Status, ...], Field(min_length=1, max_length=32)] | None = None
    """Statuses that are tried again, beside `on`."""
    backoff: Annotated[Duration, Field(ge=1)] | None = None
    """About how long to wait before the first retry, twice that before the second, and so on, each time a random part
    of it. 25ms unless set."""
    backoff_max: Annotated[Duration, Field(ge=1)] | None = None
    """The longest wait. Ten times `backoff` unless set."""
    budget_percent: Annotated[Integer, Field(ge=1, le=100)] | None = None
    """Of the requests under way to a backend, at most this many percent may be retries: so that retries do not bury a
    service that is in trouble. No limit unless set. Only of a Gateway, a Service or a Backend."""
    budget_minimum: Annotated[Integer, Field(ge=1, le=1_000_000)] | None = None
    """Retries that may always be under way, whatever the percentage says. 10 unless set."""

    def mistakes(self) -> Iterator[Mistake]:
        for field in ("on", "codes"):
            for index, first, item in duplicates(getattr(self, field) or (), lambda item: item):
                yield Mistake(f"{item} is already in {field}[{first}]", (field, index), "remove one of the two")


SHIPPED = RetrySettings.model_construct(attempts=1, on=NEVER_SERVED, backoff=25, budget_minimum=10)


class Retry(RetrySettings, Targeted):
    """Which failed requests are tried again, how often and when: on another endpoint if there is one."""

    def mistakes(self) -> Iterator[Mistake]:
        yield from RetrySettings.mistakes(self)
        yield from Targeted.mistakes(self)
        budget = ("budget_percent", "budget_minimum")
        yield from misplaced(self, budget, ("Gateway", "Service", "Backend"), "all requests to a backend")


def inline(kind: str, rule: Any) -> RetrySettings | None:
    """`retry` of an HTTPRoute's rule (GEP-1731): the codes it names, failed connections, and tries that ran out of
    time."""
    retry = getattr(rule, "retry", None)
    if kind != "HTTPRoute" or retry is None:
        return None
    return RetrySettings.model_construct(
        attempts=retry.attempts, on=(*NEVER_SERVED, "reset"), codes=retry.codes or None, backoff=retry.backoff
    )


def problems(settings: RetrySettings) -> Iterable[Problem]:
    if settings.backoff and settings.backoff_max and settings.backoff_max < settings.backoff:
        longest, first = duration_text(settings.backoff_max), duration_text(settings.backoff)
        yield Problem(
            ("backoffMax",),
            f"the longest wait ({longest}) is less than the first ({first})",
            f"make 'backoffMax' at least {first}",
        )
