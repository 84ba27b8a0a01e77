"""Action → what its Routes do, serialised: everything of a Route but the match.

An action is one Route if its shares differ only in upstream, weight and header changes (one cluster, or weighted
clusters); otherwise it is a Route for each share, with fractions that accumulate. Mixing the two would not split
exactly: Envoy compares fractions and weights with the same random number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from sampan.compile.cors import cors_filter, cors_policy
from sampan.compile.filters import HttpFilter
from sampan.compile.headers import fill_request, fill_response, then, without_host
from sampan.compile.hooks import Hooks, RouteFill
from sampan.compile.matches import MILLION, authority_with_port_body, fraction_body
from sampan.compile.paths import fill_redirect, fill_rewrite
from sampan.envoy import protos
from sampan.envoy.table import Row
from sampan.model.plan import Action, Forward, Mirror, Redirect, Respond, Share

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Variant:
    """One Route of an action: `condition` are fields to be joined to its match, `rest` the fields beside the match but
    for the RetryPolicy, which is `retry` (None if the Route does not forward): a host may say it for its Routes."""

    condition: bytes
    rest: bytes
    retry: bytes | None


@dataclass(frozen=True, slots=True)
class CompiledAction:
    """The Routes of an action in order, and what they need elsewhere."""

    variants: tuple[Variant, ...]
    filters: tuple[HttpFilter, ...]
    rows: tuple[Row, ...]


def compile_action(action: Action, hooks: Hooks) -> CompiledAction:
    variants: list[Variant] = []
    filters: list[HttpFilter] = []
    rows: list[Row] = []
    total = sum(share.weight for share in action.shares)
    below = 0
    for shares in _routes_of(action):
        below += sum(share.weight for share in shares)
        fraction = fraction_body(below, total) if below < total else b""
        for condition, fill in _fills(action, shares):
            hooks.route(shares[0].policies, fill)
            variants.append(_variant(fraction + condition, fill))
            filters += fill.filters
            rows += fill.rows
    return CompiledAction(tuple(variants), tuple(filters), tuple(rows))


def _variant(condition: bytes, fill: RouteFill) -> Variant:
    retry = None
    if fill.forward is not None:
        retry = bytes(fill.forward.retry_policy.SerializeToString(deterministic=True))
        fill.forward.ClearField("retry_policy")
    return Variant(condition, bytes(fill.route.SerializeToString(deterministic=True)), retry)


def refused_body(action: Action) -> bytes:
    """A Route, without its match, that answers in place of one which Envoy refused."""
    route = _named(action)
    _respond(route, 500, action.grpc)
    return bytes(route.SerializeToString())


def _routes_of(action: Action) -> Sequence[tuple[Share, ...]]:
    kinds = {_beyond_weights(share) for share in action.shares}
    if len(action.shares) == 1 or (len(kinds) == 1 and None not in kinds):
        return (action.shares,)
    return tuple((share,) for share in action.shares)


def _beyond_weights(share: Share) -> tuple[object, ...] | None:
    """What a weighted cluster has no field for; None for a share that no cluster serves."""
    if not isinstance(share.target, Forward):
        return None
    values = tuple((kind, id(effective)) for kind, effective in sorted(share.policies.items()))
    return (share.target.rewrite, share.mirrors, values)


def _fills(action: Action, shares: Sequence[Share]) -> Sequence[tuple[bytes, RouteFill]]:
    """The Routes for shares that one Route serves (two, for some redirects), before the policies."""
    target = shares[0].target
    if isinstance(target, Forward):
        return ((b"", _forward(action, shares, target)),)
    route = _named(action)
    _headers(route, action, shares[0])
    if isinstance(target, Respond):
        _respond(route, target.status, action.grpc)
    else:
        return _redirects(action, route, target)
    return ((b"", RouteFill(action, route, None)),)


def _named(action: Action) -> Any:
    """The name is for access logs, the prefix for statistics: the same words in both."""
    route = protos.route.Route()
    route.name = action.name
    route.stat_prefix = action.name
    return route


def _headers(message: Any, action: Action, share: Share) -> str:
    """The rule's changes, then the backend's, on a Route or a weighted cluster. Gives the Host that they set, or ""."""
    request, host = without_host(then(action.request_headers, share.request_headers))
    response, _ = without_host(then(action.response_headers, share.response_headers))
    fill_request(message, request)
    fill_response(message, response)
    return host


# ---- forwarding


def _forward(action: Action, shares: Sequence[Share], target: Forward) -> RouteFill:
    route = _named(action)
    forward = route.route
    if len(shares) == 1:
        host = _headers(route, action, shares[0])
        forward.cluster = target.upstream
    else:
        host = _weights(route, action, shares)
    forward.timeout.SetInParent()  # none; without the field Envoy's own 15 s would cut uploads and streams
    if target.rewrite is not None:
        host = target.rewrite.hostname or host
        if target.rewrite.path is not None:
            fill_rewrite(forward, target.rewrite.path)
    if host:
        forward.host_rewrite_literal = host
        forward.append_x_forwarded_host = True  # so that the backend can still know what was asked for
    for mirror in (*action.mirrors, *shares[0].mirrors):
        _mirror(forward.request_mirror_policies.add(), mirror)
    fill = RouteFill(action, route, forward)
    if action.cors is not None:
        fill.enable(cors_filter(), cors_policy(action.cors))
    return fill


def _weights(route: Any, action: Action, shares: Sequence[Share]) -> str:
    """Gives the Host that all of them set, or ""."""
    alike = not any(share.request_headers or share.response_headers for share in shares)
    host = _headers(route, action, shares[0]) if alike else ""
    for share in shares:
        assert isinstance(share.target, Forward)
        cluster = route.route.weighted_clusters.clusters.add()
        cluster.name = share.target.upstream
        cluster.weight.value = share.weight
        if not alike and (own := _headers(cluster, action, share)):
            cluster.host_rewrite_literal = own
    return host


def _mirror(policy: Any, mirror: Mirror) -> None:
    policy.cluster = mirror.upstream
    policy.disable_shadow_host_suffix_append = True  # a backend that looks at Host takes a copy like a request
    if mirror.numerator < mirror.denominator:
        default = policy.runtime_fraction.default_value
        default.numerator = round(mirror.numerator * MILLION / mirror.denominator)
        default.denominator = protos.type.FractionalPercent.MILLION


# ---- answers of the proxy itself


def _respond(route: Any, status: int, grpc: bool) -> None:
    """Envoy turns its own answers into gRPC's by status: 500 would be UNKNOWN, 503 is UNAVAILABLE, which is what the
    Gateway API wants for a GRPCRoute's invalid backend."""
    route.direct_response.status = 503 if grpc and status == 500 else status


def _redirects(action: Action, route: Any, target: Redirect) -> Sequence[tuple[bytes, RouteFill]]:
    """A scheme's own port is better left out, but Envoy keeps a port that the request's Host names. A Route before the
    plain one catches those requests and puts the port there."""
    implied = target.scheme in PORTS and target.port in (None, PORTS[target.scheme])
    _redirect(route.redirect, replace(target, port=None) if implied else target)
    plain = (b"", RouteFill(action, route, None))
    if not implied or target.hostname:
        return (plain,)
    with_port = protos.route.Route()
    with_port.CopyFrom(route)
    with_port.redirect.port_redirect = PORTS[target.scheme]
    return ((authority_with_port_body(), RouteFill(action, with_port, None)), plain)


def _redirect(redirect: Any, target: Redirect) -> None:
    redirect.response_code = _redirect_codes()[target.status]
    if target.scheme:
        redirect.scheme_redirect = target.scheme
    if target.hostname:
        redirect.host_redirect = target.hostname
    if target.port is not None:
        redirect.port_redirect = target.port
    if target.path is not None:
        fill_redirect(redirect, target.path)


@cache
def _redirect_codes() -> dict[int, int]:
    codes = protos.route.RedirectAction
    return {
        301: codes.MOVED_PERMANENTLY,
        302: codes.FOUND,
        303: codes.SEE_OTHER,
        307: codes.TEMPORARY_REDIRECT,
        308: codes.PERMANENT_REDIRECT,
    }
