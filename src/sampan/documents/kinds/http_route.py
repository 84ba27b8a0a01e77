"""HTTPRoute: which HTTP requests go where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from sampan.documents.kinds.filters import HTTPRouteFilter, filter_mistakes
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
    value_mistakes,
)
from sampan.documents.kinds.scalars import PATH_PATTERN, WORDS, Duration, HeaderName, Hostname, SectionName, matches
from sampan.documents.kinds.shape import Mistake, Ruled, Spec, Unsupported, duplicates
from sampan.documents.regex import fault

HTTPMethod = Literal["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]

# What a request's path cannot hold after Envoy's normalisation, so a match with it could never be met as meant
# (HTTPPathMatch in the Gateway API).
_NEVER_IN_PATHS = ("//", "/./", "/../", "%2f", "%2F", "#")


class PathMatch(Ruled):
    """The request's path. `PathPrefix` compares by segment: `/foo` covers `/foo` and `/foo/bar`, not `/foobar`."""

    type: Literal["Exact", "PathPrefix", "RegularExpression"] = "PathPrefix"
    value: Annotated[str, Field(max_length=1024)] = "/"

    def mistakes(self) -> Iterator[Mistake]:
        if self.type == "RegularExpression":
            if reason := fault(self.value):
                yield regex_mistake(reason, "value")
            return
        if not self.value.startswith("/"):
            yield Mistake("a path starts with '/'", ("value",), f"write '/{self.value}'")
        found = [part for part in _NEVER_IN_PATHS if part in self.value]
        found += [end for end in ("/..", "/.") if self.value.endswith(end)]
        for part in found:
            yield Mistake(f"a path to match never holds '{part}'", ("value",))
        if not found and self.value and not matches(PATH_PATTERN, self.value):
            yield Mistake(f"a path is made of {WORDS[PATH_PATTERN]}", ("value",))


class QueryParamMatch(Ruled):
    """A query parameter that a request must have. Its value is compared whole."""

    type: MatchType = "Exact"
    name: HeaderName
    value: Annotated[str, Field(min_length=1, max_length=1024)]

    def mistakes(self) -> Iterator[Mistake]:
        yield from value_mistakes(self.type, self.value)


class HTTPRouteMatch(Ruled):
    """Conditions that must all hold for a request."""

    path: PathMatch = PathMatch()
    headers: Annotated[tuple[HeaderMatch, ...], Field(max_length=16)] = ()
    query_params: Annotated[tuple[QueryParamMatch, ...], Field(max_length=16)] = ()
    method: HTTPMethod | None = None

    def mistakes(self) -> Iterator[Mistake]:
        for index, first, header in duplicates(self.headers, lambda header: header.name):
            yield Mistake(f"header '{header.name}' is already in headers[{first}]", ("headers", index, "name"))
        for index, first, param in duplicates(self.query_params, lambda param: param.name):
            yield Mistake(
                f"query parameter '{param.name}' is already in queryParams[{first}]", ("queryParams", index, "name")
            )


EVERYTHING: tuple[HTTPRouteMatch, ...] = (HTTPRouteMatch(),)


class HTTPBackendReference(WeightedBackendReference):
    """A backend with its weight, and filters for the requests that go to it."""

    filters: Annotated[tuple[HTTPRouteFilter, ...], Field(max_length=16)] = ()

    def mistakes(self) -> Iterator[Mistake]:
        yield from super().mistakes()
        yield from filter_mistakes(self.filters)


class Timeouts(Ruled):
    """How long an answer may take. 0s means no limit (GEP-1742)."""

    request: Duration | None = None
    """The whole exchange, retries included."""
    backend_request: Duration | None = None
    """One try at one backend."""

    def mistakes(self) -> Iterator[Mistake]:
        if self.request and self.backend_request is not None and self.backend_request > self.request:
            yield Mistake("one try (backendRequest) may not take longer than the whole (request)", ("backendRequest",))


class HTTPRetry(Ruled):
    """When a request is tried again (GEP-1731)."""

    codes: tuple[Annotated[int, Field(strict=True, ge=400, le=599)], ...] = ()
    """Statuses that are tried again; if none is named, those that Sampan's `Retry` policy tries by default."""
    attempts: Annotated[int, Field(strict=True, ge=1)] | None = None
    """How often it is tried again, at most."""
    backoff: Duration | None = None
    """The least time between two tries."""

    def mistakes(self) -> Iterator[Mistake]:
        for index, first, code in duplicates(self.codes, lambda code: code):
            yield Mistake(f"{code} is already in codes[{first}]", ("codes", index))


class HTTPRouteRule(Ruled):
    """Requests that match any of `matches` pass through `filters` to one of `backendRefs`."""

    name: SectionName = ""
    matches: Annotated[
        tuple[HTTPRouteMatch, ...], Field(max_length=64), AfterValidator(lambda given: given or EVERYTHING)
    ] = EVERYTHING
    """Every request if absent."""
    filters: Annotated[tuple[HTTPRouteFilter, ...], Field(max_length=16)] = ()
    backend_refs: Annotated[tuple[HTTPBackendReference, ...], Field(max_length=16)] = ()
    """None: 500, unless a filter answers."""
    timeouts: Timeouts | None = None
    retry: HTTPRetry | None = None
    session_persistence: SessionPersistence | None = None

    def mistakes(self) -> Iterator[Mistake]:
        yield from filter_mistakes(self.filters)
        redirect = next((index for index, item in enumerate(self.filters) if item.request_redirect), None)
        if redirect is not None and self.backend_refs:
            yield Mistake(
                "a redirect is answered at once: it excludes backendRefs",
                ("filters", redirect),
                "remove 'backendRefs' or the redirect",
            )
        yield from self._prefix_mistakes("filters", self.filters)
        for number, ref in enumerate(self.backend_refs):
            for mistake in self._prefix_mistakes("filters", ref.filters):
                yield Mistake(mistake.reason, ("backendRefs", number, *mistake.field), mistake.hint)

    def _prefix_mistakes(self, at: str, filters: Sequence[HTTPRouteFilter]) -> Iterator[Mistake]:
        """What replaces a matched prefix needs to know which prefix: exactly one match, by PathPrefix."""
        if len(self.matches) == 1 and self.matches[0].path.type == "PathPrefix":
            return
        for index, item in enumerate(filters):
            changes = (("requestRedirect", item.request_redirect), ("urlRewrite", item.url_rewrite))
            for field, change in changes:
                if change is not None and change.path is not None and change.path.type == "ReplacePrefixMatch":
                    yield Mistake(
                        "ReplacePrefixMatch needs a rule with exactly one match, by PathPrefix",
                        (at, index, field, "path"),
                        "split the rule, or use ReplaceFullPath",
                    )


class HTTPRoute(Spec):
    """Which HTTP requests go where: by host, path, header, query and method, to backends by weight.

    Of all rules that match a request the most specific wins: exact path, then longest prefix, then method, then most
    headers, then most query parameters, then the oldest route, then namespace and name, then the first rule.
    """

    parent_refs: Annotated[tuple[ParentReference, ...], Field(max_length=32)] = ()
    """The Gateways (or listeners of them) that serve this route."""
    use_default_gateways: UseDefaultGateways | None = None
    hostnames: Annotated[tuple[Hostname, ...], Field(max_length=16)] = ()
    """`shop.example.com` or `*.example.com`. All hosts of the listener if absent."""
    rules: Annotated[tuple[HTTPRouteRule, ...], Field(min_length=1, max_length=16)] = (HTTPRouteRule(),)

    def mistakes(self) -> Iterator[Mistake]:
        yield from parent_mistakes(self.parent_refs)
        yield from name_mistakes(self.rules)
        yield from total_mistakes(self.rules)

    def unsupported(self) -> Iterator[Unsupported]:
        yield from unsupported_parts(self.use_default_gateways, self.rules)
