"""GRPCRoute: which gRPC calls go where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from sampan.documents.kinds.filters import GRPCRouteFilter, filter_mistakes
from sampan.documents.kinds.references import ParentReference, WeightedBackendReference, parent_mistakes
from sampan.documents.kinds.routes import (
    HeaderMatch,
    MatchType,
    SessionPersistence,
    UseDefaultGateways,
    name_mistakes,
    regex_mistake,
    total_mistakes,
    unsupported_parts,
)
from sampan.documents.kinds.scalars import Hostname, SectionName, matches
from sampan.documents.kinds.shape import Mistake, Ruled, Spec, Unsupported, duplicates
from sampan.documents.regex import fault

_SERVICE_PATTERN = r"^\.?[A-Za-z_][A-Za-z_0-9]*(\.[A-Za-z_][A-Za-z_0-9]*)*$"
_METHOD_PATTERN = r"^[A-Za-z_][A-Za-z_0-9]*$"


class GRPCMethodMatch(Ruled):
    """The call's service, method, or both."""

    type: MatchType = "Exact"
    service: Annotated[str, Field(max_length=1024)] = ""
    """With its package: `shop.v1.Catalogue`. Every service if absent."""
    method: Annotated[str, Field(max_length=1024)] = ""
    """Every method if absent."""

    def mistakes(self) -> Iterator[Mistake]:
        if not self.service and not self.method:
            yield Mistake("a method match needs 'service', 'method' or both")
        for field, value, pattern in (
            ("service", self.service, _SERVICE_PATTERN),
            ("method", self.method, _METHOD_PATTERN),
        ):
            if not value:
                continue
            if self.type == "Exact" and not matches(pattern, value):
                yield Mistake(
                    f"'{value}' is not a gRPC {field} name",
                    (field,),
                    "regular expressions need 'type: RegularExpression'",
                )
            if self.type == "RegularExpression" and (reason := fault(value)):
                yield regex_mistake(reason, field)


class GRPCRouteMatch(Ruled):
    """Conditions that must all hold for a call."""

    method: GRPCMethodMatch | None = None
    headers: Annotated[tuple[HeaderMatch, ...], Field(max_length=16)] = ()

    def mistakes(self) -> Iterator[Mistake]:
        for index, first, header in duplicates(self.headers, lambda header: header.name):
            yield Mistake(f"header '{header.name}' is already in headers[{first}]", ("headers", index, "name"))


class GRPCBackendReference(WeightedBackendReference):
    """A backend with its weight, and filters for the calls that go to it."""

    filters: Annotated[tuple[GRPCRouteFilter, ...], Field(max_length=16)] = ()

    def mistakes(self) -> Iterator[Mistake]:
        yield from super().mistakes()
        yield from filter_mistakes(self.filters)


class GRPCRouteRule(Ruled):
    """Calls that match any of `matches` pass through `filters` to one of `backendRefs`."""

    name: SectionName = ""
    matches: Annotated[tuple[GRPCRouteMatch, ...], Field(max_length=64)] = ()
    """Every call if absent."""
    filters: Annotated[tuple[GRPCRouteFilter, ...], Field(max_length=16)] = ()
    backend_refs: Annotated[tuple[GRPCBackendReference, ...], Field(max_length=16)] = ()
    """None: UNAVAILABLE."""
    session_persistence: SessionPersistence | None = None

    def mistakes(self) -> Iterator[Mistake]:
        yield from filter_mistakes(self.filters)


class GRPCRoute(Spec):
    """Which gRPC calls go where: by host, service, method and header, to backends by weight.

    Of all rules that match a call the most specific wins: longest host, longest service, longest method, most headers,
    then the oldest route, then namespace and name, then the first rule.
    """

    parent_refs: Annotated[tuple[ParentReference, ...], Field(max_length=32)] = ()
    """The Gateways (or listeners of them) that serve this route."""
    use_default_gateways: UseDefaultGateways | None = None
    hostnames: Annotated[tuple[Hostname, ...], Field(max_length=16)] = ()
    """`shop.example.com` or `*.example.com`. All hosts of the listener if absent."""
    rules: Annotated[tuple[GRPCRouteRule, ...], Field(max_length=16)] = ()

    def mistakes(self) -> Iterator[Mistake]:
        yield from parent_mistakes(self.parent_refs)
        yield from name_mistakes(self.rules)
        yield from total_mistakes(self.rules)

    def unsupported(self) -> Iterator[Unsupported]:
        yield from unsupported_parts(self.use_default_gateways, self.rules)
