"""Filters of a rule or of a backend reference: what they come to in the Plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sampan.documents.kinds.filters import (
    CORS,
    GRPCRouteFilter,
    HeaderModifier,
    HTTPRouteFilter,
    PathModifier,
    RequestMirror,
    RequestRedirect,
    URLRewrite,
)
from sampan.model.diagnostic import FieldPath
from sampan.model.plan import NO_CHANGES, Cors, HeaderChanges, PathRewrite, Redirect, Rewrite

WELL_KNOWN_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Unusable:
    """A filter that cannot be applied. Requests it was meant for get an error, never pass without it.

    `reference`: it is a reference that leads nowhere (ExtensionRef), else a type that Sampan does not know.
    """

    index: int
    field: FieldPath
    reason: str
    reference: bool


@dataclass(frozen=True, slots=True)
class Filters:
    """All filters of one place. `mirrors` are (index of the filter, what it says)."""

    request: HeaderChanges = NO_CHANGES
    response: HeaderChanges = NO_CHANGES
    redirect: RequestRedirect | None = None
    rewrite: URLRewrite | None = None
    cors: Cors | None = None
    mirrors: tuple[tuple[int, RequestMirror], ...] = ()
    unusable: tuple[Unusable, ...] = ()


NO_FILTERS = Filters()


def read(filters: Sequence[HTTPRouteFilter | GRPCRouteFilter]) -> Filters:
    if not filters:
        return NO_FILTERS
    request = response = NO_CHANGES
    redirect: RequestRedirect | None = None
    rewrite: URLRewrite | None = None
    cors: Cors | None = None
    mirrors: list[tuple[int, RequestMirror]] = []
    unusable: list[Unusable] = []
    for index, item in enumerate(filters):
        if item.request_header_modifier is not None:
            request = _header_changes(item.request_header_modifier)
        elif item.response_header_modifier is not None:
            response = _header_changes(item.response_header_modifier)
        elif item.request_mirror is not None:
            mirrors.append((index, item.request_mirror))
        elif item.extension_ref is not None:
            reference = item.extension_ref
            reason = f"no filter of kind {reference.kind} ({reference.group or 'core'}) is known"
            unusable.append(Unusable(index, ("extensionRef", "kind"), reason, True))
        elif isinstance(item, GRPCRouteFilter):
            continue
        elif item.request_redirect is not None:
            redirect = item.request_redirect
        elif item.url_rewrite is not None:
            rewrite = item.url_rewrite
        elif item.cors is not None:
            cors = _cors(item.cors)
        elif item.external_auth is not None:
            unusable.append(Unusable(index, ("type",), "external authorization is not supported yet", False))
    return Filters(request, response, redirect, rewrite, cors, tuple(mirrors), tuple(unusable))


def _header_changes(modifier: HeaderModifier) -> HeaderChanges:
    return HeaderChanges(
        tuple((header.name, header.value) for header in modifier.set),
        tuple((header.name, header.value) for header in modifier.add),
        modifier.remove,
    )


def _cors(cors: CORS) -> Cors:
    return Cors(
        cors.allow_origins,
        cors.allow_methods,
        cors.allow_headers,
        cors.expose_headers,
        cors.allow_credentials,
        cors.max_age,
    )


def prefix(value: str) -> str:
    """A path prefix without the slash at its end, which says nothing (HTTPRouteMatch: "a trailing / is ignored")."""
    return value.rstrip("/") or "/"


def path_rewrite(modifier: PathModifier | None, matched: str) -> PathRewrite | None:
    """`matched` is the rule's path prefix; documents let ReplacePrefixMatch stand only where there is exactly one."""
    if modifier is None:
        return None
    if modifier.type == "ReplaceFullPath":
        return PathRewrite("full", modifier.replace_full_path or "/")
    return PathRewrite("prefix", modifier.replace_prefix_match or "", matched)


def rewrite_of(rewrite: URLRewrite | None, matched: str) -> Rewrite | None:
    if rewrite is None:
        return None
    return Rewrite(rewrite.hostname, path_rewrite(rewrite.path, matched))


def redirect_of(redirect: RequestRedirect, matched: str, listener_port: int, listener_tls: bool) -> Redirect:
    """The port as HTTPRequestRedirectFilter.port has it.

    It is left out where scheme and port are each other's well-known ones. Where the request came to another port, that
    one stands in its Host header, which Envoy would keep; so there it is written even if it is well known.
    """
    listener_scheme = "https" if listener_tls else "http"
    scheme = redirect.scheme or listener_scheme
    port = redirect.port
    if port is None:
        port = WELL_KNOWN_PORTS[scheme] if redirect.scheme else listener_port
    plain_host = bool(redirect.hostname) or listener_port == WELL_KNOWN_PORTS[listener_scheme]
    shown = None if port == WELL_KNOWN_PORTS[scheme] and plain_host else port
    return Redirect(
        redirect.status_code,
        redirect.scheme or "",
        redirect.hostname,
        shown,
        path_rewrite(redirect.path, matched),
    )
