"""Two policies made up for tests: `Speed` for everything, `Patience` with a field of the rule itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field

from sampan.documents.kinds.built_in import BUILT_IN
from sampan.documents.kinds.kind_set import Kind
from sampan.documents.kinds.references import PolicyTargetReference
from sampan.documents.kinds.shape import Shape, Spec
from sampan.model.names import SAMPAN
from sampan.model.policy import Level, PolicyKind, Problem


class SpeedSettings(Shape):
    limit: int | None = None
    burst: int | None = None


class Speed(Spec):
    target_refs: Annotated[tuple[PolicyTargetReference, ...], Field(min_length=1)]
    limit: int | None = None
    burst: int | None = None


def too_much(settings: Any) -> Iterable[Problem]:
    if settings.burst is not None and settings.limit is not None and settings.burst > settings.limit:
        yield Problem(("burst",), "burst is above limit", "lower it")


class PatienceSettings(Shape):
    request: int | None = None


class Patience(Spec):
    target_refs: Annotated[tuple[PolicyTargetReference, ...], Field(min_length=1)]
    request: int | None = None


def timeouts(route_kind: str, rule: Any) -> PatienceSettings | None:
    if route_kind != "HTTPRoute" or rule.timeouts is None or rule.timeouts.request is None:
        return None
    return PatienceSettings(request=rule.timeouts.request)


POLICIES = (
    PolicyKind(
        "Speed",
        Speed,
        SpeedSettings,
        SpeedSettings(limit=100),
        frozenset({Level.GATEWAY, Level.LISTENER, Level.ROUTE, Level.RULE, Level.SERVICE}),
        "none",
        problems=too_much,
    ),
    PolicyKind(
        "Patience",
        Patience,
        PatienceSettings,
        PatienceSettings(request=15_000),
        frozenset({Level.GATEWAY, Level.ROUTE, Level.RULE}),
        "none",
        inline=timeouts,
        route_kinds=frozenset({"HTTPRoute"}),
    ),
)
KINDS = BUILT_IN.with_kinds(
    (Kind(SAMPAN, "Speed", ("v1alpha1",), Speed), Kind(SAMPAN, "Patience", ("v1alpha1",), Patience))
)
