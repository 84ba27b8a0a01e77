"""Cors → the settings of Envoy's CORS filter for a route (Gateway API: HTTPCORSFilter, GEP-1767)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from sampan.compile.filters import HttpFilter, Slot, filter_of
from sampan.envoy import protos
from sampan.model.plan import Cors


@cache
def cors_filter() -> HttpFilter:
    return filter_of(Slot.CORS, "envoy.filters.http.cors", protos.cors.Cors())


def cors_policy(cors: Cors) -> Any:
    """`CorsPolicy`. The filter answers a method or header of "*" with what the preflight asked for, which is right with
    credentials too; for exposed headers it sends what stands here, and "*" is no wildcard with credentials."""
    policy = protos.cors.CorsPolicy()
    for origin in cors.allow_origins:
        _origin(policy.allow_origin_string_match.add(), origin)
    policy.allow_methods = _listed(cors.allow_methods)
    policy.allow_headers = _listed(cors.allow_headers)
    if not (cors.allow_credentials and "*" in cors.expose_headers):
        policy.expose_headers = _listed(cors.expose_headers)
    policy.max_age = str(cors.max_age)
    if cors.allow_credentials:
        policy.allow_credentials.value = True
    # A preflight of an origin that is not allowed is answered without CORS headers, not sent on to the backend.
    policy.forward_not_matching_preflights.SetInParent()
    return policy


def _listed(values: Sequence[str]) -> str:
    return "*" if "*" in values else ", ".join(values)


def _origin(matcher: Any, origin: str) -> None:
    """Schemes and hosts of an Origin header are in lower case. A `*` covers labels and the dots between them."""
    if origin == "*":
        matcher.safe_regex.regex = ".*"
    elif "*" in origin:
        matcher.safe_regex.regex = r"[a-z0-9._-]+".join(re.escape(part) for part in origin.lower().split("*"))
    else:
        matcher.exact = origin.lower()
