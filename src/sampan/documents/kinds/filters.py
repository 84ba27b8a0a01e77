"""What a route's rule may do to a request and its response: the filters of HTTPRoute and GRPCRoute."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field

from sampan.documents.kinds.references import BackendReference, LocalObjectReference
from sampan.documents.kinds.scalars import (
    ORIGIN_PATTERN,
    Boolean,
    HeaderName,
    HeaderValue,
    Integer,
    PathReplacement,
    Percent,
    Port,
    PreciseHostname,
)
from sampan.documents.kinds.shape import Mistake, Ruled, Shape, duplicates


class HeaderField(Shape):
    """One header."""

    name: HeaderName
    value: HeaderValue


class HeaderModifier(Ruled):
    """Changes headers: `set` replaces, `add` adds another value, `remove` takes away."""

    set: Annotated[tuple[HeaderField, ...], Field(max_length=16)] = ()
    add: Annotated[tuple[HeaderField, ...], Field(max_length=16)] = ()
    remove: Annotated[tuple[HeaderName, ...], Field(max_length=16)] = ()

    def mistakes(self) -> Iterator[Mistake]:
        for name, headers in (("set", self.set), ("add", self.add)):
            for index, first, header in duplicates(headers, lambda header: header.name.lower()):
                yield Mistake(f"header '{header.name}' is already in {name}[{first}]", (name, index, "name"))
        for index, first, removed in duplicates(self.remove, str.lower):
            yield Mistake(f"header '{removed}' is already in remove[{first}]", ("remove", index))


class Fraction(Ruled):
    """A share of the requests: numerator / denominator."""

    numerator: Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]
    denominator: Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)] = 100

    def mistakes(self) -> Iterator[Mistake]:
        if self.numerator > self.denominator:
            yield Mistake(f"{self.numerator}/{self.denominator} is more than all requests", ("numerator",))


class RequestMirror(Ruled):
    """Sends a copy of requests to another backend and ignores its answers."""

    backend_ref: BackendReference
    percent: Percent | None = None
    """How many of 100 requests are copied. All if neither percent nor fraction is given."""
    fraction: Fraction | None = None

    def mistakes(self) -> Iterator[Mistake]:
        if self.percent is not None and self.fraction is not None:
            yield Mistake("percent and fraction exclude each other", ("fraction",), "keep one of the two")


class PathModifier(Ruled):
    """A new path: all of it, or the part that the rule's path prefix matched."""

    type: Literal["ReplaceFullPath", "ReplacePrefixMatch"]
    replace_full_path: PathReplacement | None = None
    replace_prefix_match: PathReplacement | None = None
    """`/xyz` turns `/foo/bar`, matched by prefix `/foo`, into `/xyz/bar`."""

    def mistakes(self) -> Iterator[Mistake]:
        yield from choice_mistakes(
            self, {"ReplaceFullPath": "replaceFullPath", "ReplacePrefixMatch": "replacePrefixMatch"}
        )


class RequestRedirect(Shape):
    """Answers with a redirect. What is absent stays as it was in the request."""

    scheme: Literal["http", "https"] | None = None
    hostname: PreciseHostname = ""
    path: PathModifier | None = None
    port: Port | None = None
    """If absent: the well-known port of `scheme` if that is given, the listener's port otherwise."""
    status_code: Literal[301, 302, 303, 307, 308] = 302


class URLRewrite(Shape):
    """Changes host or path before the request is forwarded."""

    hostname: PreciseHostname = ""
    path: PathModifier | None = None


CORSMethod = Literal["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "*"]


class CORS(Ruled):
    """Answers browsers' preflight requests and says which other sites may read the responses."""

    allow_origins: Annotated[
        tuple[Annotated[str, Field(pattern=ORIGIN_PATTERN, max_length=253)], ...], Field(max_length=64)
    ] = ()
    """`https://shop.example.com`, `https://*.example.com`, or `*` alone."""
    allow_credentials: Boolean = False
    allow_methods: Annotated[tuple[CORSMethod, ...], Field(max_length=9)] = ()
    allow_headers: Annotated[tuple[HeaderName, ...], Field(max_length=64)] = ()
    expose_headers: Annotated[tuple[HeaderName, ...], Field(max_length=64)] = ()
    max_age: Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)] = 5
    """Seconds for which a browser may remember the answer."""

    def mistakes(self) -> Iterator[Mistake]:
        lists: tuple[tuple[str, Sequence[str]], ...] = (
            ("allowOrigins", self.allow_origins),
            ("allowMethods", self.allow_methods),
            ("allowHeaders", self.allow_headers),
        )
        for name, values in lists:
            if "*" in values and len(values) > 1:
                yield Mistake(f"'*' in {name} already stands for all; it must be alone", (name, values.index("*")))
        for name, values in (*lists, ("exposeHeaders", self.expose_headers)):
            for index, first, value in duplicates(values, lambda value: value):
                yield Mistake(f"'{value}' is already in {name}[{first}]", (name, index))


class GRPCAuthorization(Shape):
    """How an authorization service that speaks Envoy's ext_authz over gRPC is asked."""

    allowed_headers: Annotated[tuple[str, ...], Field(max_length=64)] = ()


class HTTPAuthorization(Shape):
    """How an authorization service that speaks HTTP is asked."""

    path: PathReplacement = ""
    allowed_headers: Annotated[tuple[str, ...], Field(max_length=64)] = ()
    allowed_response_headers: Annotated[tuple[str, ...], Field(max_length=64)] = ()


class ForwardBody(Shape):
    """How much of the request's body an authorization service sees, in bytes."""

    max_size: Integer = 0


class ExternalAuth(Ruled):
    """Asks another service whether a request may pass (GEP-1494)."""

    protocol: Literal["HTTP", "GRPC"]
    backend_ref: BackendReference
    grpc: GRPCAuthorization | None = None
    http: HTTPAuthorization | None = None
    forward_body: ForwardBody | None = None

    def mistakes(self) -> Iterator[Mistake]:
        yield from choice_mistakes(self, {"HTTP": "http", "GRPC": "grpc"}, "protocol")


class GRPCRouteFilter(Ruled):
    """One step; `type` says which, and the field of that name holds its settings."""

    type: Literal["RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror", "ExtensionRef"]
    request_header_modifier: HeaderModifier | None = None
    response_header_modifier: HeaderModifier | None = None
    request_mirror: RequestMirror | None = None
    extension_ref: LocalObjectReference | None = None

    def mistakes(self) -> Iterator[Mistake]:
        yield from choice_mistakes(self, _GRPC_FIELDS)


class HTTPRouteFilter(Ruled):
    """One step; `type` says which, and the field of that name holds its settings."""

    type: Literal[
        "RequestHeaderModifier",
        "ResponseHeaderModifier",
        "RequestMirror",
        "RequestRedirect",
        "URLRewrite",
        "CORS",
        "ExternalAuth",
        "ExtensionRef",
    ]
    request_header_modifier: HeaderModifier | None = None
    response_header_modifier: HeaderModifier | None = None
    request_mirror: RequestMirror | None = None
    request_redirect: RequestRedirect | None = None
    url_rewrite: URLRewrite | None = None
    cors: CORS | None = None
    external_auth: ExternalAuth | None = None
    extension_ref: LocalObjectReference | None = None

    def mistakes(self) -> Iterator[Mistake]:
        yield from choice_mistakes(self, _HTTP_FIELDS)


_GRPC_FIELDS = {
    "RequestHeaderModifier": "requestHeaderModifier",
    "ResponseHeaderModifier": "responseHeaderModifier",
    "RequestMirror": "requestMirror",
    "ExtensionRef": "extensionRef",
}
_HTTP_FIELDS = _GRPC_FIELDS | {
    "RequestRedirect": "requestRedirect",
    "URLRewrite": "urlRewrite",
    "CORS": "cors",
    "ExternalAuth": "externalAuth",
}
_REPEATABLE = frozenset({"RequestMirror", "ExtensionRef", "ExternalAuth"})


def choice_mistakes(owner: Shape, fields: dict[str, str], by: str = "type") -> Iterator[Mistake]:
    """`by` chooses one of several fields (value of `by` → field): that one must be there and no other."""
    chosen = getattr(owner, by)
    for value, field in fields.items():
        present = getattr(owner, _attribute(owner, field)) is not None
        if present and value != chosen:
            yield Mistake(
                f"'{field}' does not go with {by} {chosen}", (field,), f"write '{by}: {value}' or remove '{field}'"
            )
        if not present and value == chosen:
            yield Mistake(f"{by} {chosen} needs the field '{field}'", (), f"add '{field}:' or change '{by}'")


def _attribute(owner: Shape, alias: str) -> str:
    return next(name for name, field in type(owner).model_fields.items() if field.alias == alias)


def filter_mistakes(filters: Sequence[HTTPRouteFilter | GRPCRouteFilter], at: str = "filters") -> Iterator[Mistake]:
    """Most filters stand once in a rule; a redirect and a rewrite exclude each other."""
    single = [(index, item) for index, item in enumerate(filters) if item.type not in _REPEATABLE]
    for index, first, (_, item) in duplicates(single, lambda pair: pair[1].type):
        yield Mistake(
            f"{item.type} is already in {at}[{single[first][0]}]", (at, single[index][0]), "put both into one filter"
        )
    types = [item.type for item in filters]
    if "RequestRedirect" in types and "URLRewrite" in types:
        yield Mistake(
            "a redirect is answered at once: it excludes URLRewrite",
            (at, types.index("URLRewrite")),
            "a redirect has its own 'hostname' and 'path'",
        )
