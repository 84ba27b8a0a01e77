"""The fields of a Timeout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from pydantic import Field

from sampan.documents.kinds.scalars import Duration, duration_text
from sampan.documents.kinds.shape import Mistake, Ruled
from sampan.model.policy import Problem
from sampan.policies.targets import Targeted, misplaced

STREAMS = ("TCPRoute", "TLSRoute")


class TimeoutSettings(Ruled):
    """Durations such as `500ms`, `10s` or `1h30m`; `0s` means no limit."""

    request: Duration | None = None
    """The whole exchange, from the end of the request to the end of the answer, retries included; then 504. No limit
    unless set: a limit would cut downloads, server-sent events and gRPC streams."""
    backend_request: Duration | None = None
    """One try at one backend; then the next try if `Retry` has one left, else 504. No limit unless set."""
    idle: Duration | None = None
    """Nothing is sent either way on a stream (a request, a WebSocket, a TCP connection). One hour unless set."""
    connect: Annotated[Duration, Field(ge=1)] | None = None
    """Opening a connection to a backend. 5 seconds unless set. Only of a Gateway, a Service or a Backend."""


SHIPPED = TimeoutSettings.model_construct(request=0, backend_request=0, idle=3_600_000, connect=5000)


class Timeout(TimeoutSettings, Targeted):
    """How long a request, a try, a silence and a connection attempt may take."""

    def mistakes(self) -> Iterator[Mistake]:
        yield from Targeted.mistakes(self)
        backends = ("Gateway", "Service", "Backend")
        yield from misplaced(self, ("connect",), backends, "connections to a backend")
        requests = (*backends, "HTTPRoute", "GRPCRoute")
        if any(ref.kind in STREAMS for ref in self.target_refs):
            yield from misplaced(self, ("request", "backend_request"), requests, "requests")


def inline(kind: str, rule: Any) -> TimeoutSettings | None:
    """`timeouts` of an HTTPRoute's rule (GEP-1742)."""
    timeouts = getattr(rule, "timeouts", None)
    if kind != "HTTPRoute" or timeouts is None:
        return None
    return TimeoutSettings.model_construct(request=timeouts.request, backend_request=timeouts.backend_request)


def problems(settings: TimeoutSettings) -> Iterable[Problem]:
    if settings.request and settings.backend_request and settings.backend_request > settings.request:
        whole, one = duration_text(settings.request), duration_text(settings.backend_request)
        yield Problem(
            ("backendRequest",),
            f"one try may take {one}, longer than the whole request ({whole}), so its limit is never reached",
            f"make 'backendRequest' less than {whole}, or 'request' more than {one}",
        )
