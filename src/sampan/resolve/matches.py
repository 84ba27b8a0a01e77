"""Matches of HTTPRoute and GRPCRoute rules, in the Plan's words, with their place in the order of precedence."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sampan.documents.kinds.grpc_route import GRPCMethodMatch, GRPCRouteRule
from sampan.documents.kinds.http_route import HTTPRouteMatch, HTTPRouteRule, QueryParamMatch
from sampan.documents.kinds.routes import HeaderMatch
from sampan.model.plan import Match, PathMatch, ValueMatch
from sampan.resolve.filters import prefix
from sampan.resolve.precedence import MatchKey, grpc_key, http_key

_ANY_SLOT = "[^/]+"
EVERY_PATH = PathMatch("prefix", "/")


def http_matches(rule: HTTPRouteRule) -> list[tuple[MatchKey, Match]]:
    found = []
    for item in rule.matches:
        match = Match(
            _path(item),
            _headers(item.headers) if item.headers else (),
            _query(item.query_params) if item.query_params else (),
            item.method or "",
        )
        found.append((http_key(match), match))
    return found


def _path(item: HTTPRouteMatch) -> PathMatch:
    path = item.path
    if path.type == "PathPrefix":
        return EVERY_PATH if path.value == "/" else PathMatch("prefix", prefix(path.value))
    return PathMatch("exact" if path.type == "Exact" else "regex", path.value)


def matched_prefix(rule: HTTPRouteRule) -> str:
    """The path prefix of the rule's first match; documents let nothing depend on it where there are several."""
    path = rule.matches[0].path
    return prefix(path.value) if path.type == "PathPrefix" else ""


def _headers(headers: Sequence[HeaderMatch]) -> tuple[ValueMatch, ...]:
    """Of several for one name, the first counts (HTTPHeaderMatch.name)."""
    found: dict[str, ValueMatch] = {}
    for item in headers:
        name = item.name.lower()
        found.setdefault(name, ValueMatch(name, "exact" if item.type == "Exact" else "regex", item.value))
    return tuple(found.values())


def _query(params: Sequence[QueryParamMatch]) -> tuple[ValueMatch, ...]:
    found: dict[str, ValueMatch] = {}
    for item in params:
        found.setdefault(item.name, ValueMatch(item.name, "exact" if item.type == "Exact" else "regex", item.value))
    return tuple(found.values())


def grpc_matches(rule: GRPCRouteRule) -> list[tuple[MatchKey, Match]]:
    if not rule.matches:
        match = Match(EVERY_PATH, grpc=True)
        return [(grpc_key("", "", match), match)]
    found = []
    for item in rule.matches:
        path = EVERY_PATH if item.method is None else _grpc_path(item.method)
        match = Match(path, _headers(item.headers), grpc=True)
        service, method = (item.method.service, item.method.method) if item.method is not None else ("", "")
        found.append((grpc_key(service, method, match), match))
    return found


def _grpc_path(item: GRPCMethodMatch) -> PathMatch:
    """A gRPC call's path is `/service/method` (grpc/doc/PROTOCOL-HTTP2.md)."""
    if item.type == "Exact":
        if item.service and item.method:
            return PathMatch("exact", f"/{item.service}/{item.method}")
        if item.service:
            return PathMatch("prefix", f"/{item.service}")
        return PathMatch("regex", f"/{_ANY_SLOT}/{re.escape(item.method)}")
    service = f"(?:{item.service})" if item.service else _ANY_SLOT
    method = f"(?:{item.method})" if item.method else _ANY_SLOT
    return PathMatch("regex", f"/{service}/{method}")
