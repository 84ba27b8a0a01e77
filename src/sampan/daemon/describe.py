"""All that is known of one object, out of the Plans: policies in force, routes that lead to it, backends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sampan.daemon.refusals import entries
from sampan.model.meta import Object
from sampan.model.names import Ref
from sampan.model.plan import Action, Chain, Endpoint, Forward, Plan, Share, TcpApplication, Upstream
from sampan.model.policy import Policies
from sampan.model.snapshot import Snapshot
from sampan.resolve import endpoint_group


def actions(plan: Plan) -> Iterable[Action]:
    """Every action once."""
    return dict.fromkeys(entry.action for entry in entries(plan))


def streams(plan: Plan) -> Iterator[tuple[Chain, TcpApplication]]:
    for socket in plan.sockets:
        for chain in socket.chains:
            if isinstance(chain.application, TcpApplication):
                yield chain, chain.application


def policies(item: Object, plans: Iterable[Plan]) -> list[dict[str, Any]]:
    """Each field in force for the rules of a route, or for the upstreams of a Service or Backend, with its origin."""
    found: list[dict[str, Any]] = []
    for plan in plans:
        for action in actions(plan):
            if action.origin.route == item.ref:
                rule = action.origin.rule_name or str(action.origin.rule)
                found += _fields(action.policies, rule=rule)
                found += _of_shares(action, rule)
        for upstream in plan.upstreams.values():
            if upstream.owner == item.ref:
                found += _fields(upstream.policies, backend=upstream.name)
    return _once(found)


def _of_shares(action: Action, rule: str) -> Iterator[dict[str, Any]]:
    """Only what differs for a backend from the rule's own."""
    for share in action.shares:
        if isinstance(share.target, Forward):
            for kind, effective in share.policies.items():
                if action.policies.get(kind) is not effective:
                    yield from _fields({kind: effective}, rule=rule, backend=share.target.upstream)


def _fields(policies: Policies, **where: str) -> Iterator[dict[str, Any]]:
    for kind, effective in policies.items():
        values = effective.value.model_dump(mode="json", by_alias=True)
        names = {name: info.alias or name for name, info in type(effective.value).model_fields.items()}
        for name, origin in effective.origins.items():
            field = names.get(name, name)
            if values.get(field) is not None:
                yield {**where, "kind": kind, "field": field, "value": values[field], "origin": str(origin)}


def routes(item: Object, plans: Iterable[Plan]) -> list[dict[str, Any]]:
    """The rules that lead to a Service or Backend, or that a Gateway serves."""
    found: list[dict[str, Any]] = []
    for plan in plans:
        mine = plan.view.gateway == item.ref
        owned = {upstream.name for upstream in plan.upstreams.values() if upstream.owner == item.ref}
        for action in actions(plan):
            found += _led(action.origin.route, action.shares, mine, owned, str(action.origin.rule))
        for _, stream in streams(plan):
            if stream.origin is not None:
                found += _led(stream.origin.route, stream.shares, mine, owned, str(stream.origin.rule))
    return _once(found)


def _led(route: Ref, shares: Iterable[Share], mine: bool, owned: set[str], rule: str) -> Iterator[dict[str, Any]]:
    if mine:
        yield {"route": str(route)}
        return
    for share in shares:
        if isinstance(share.target, Forward) and share.target.upstream in owned:
            yield {"route": str(route), "rule": rule, "weight": share.weight}


def backends(item: Object, plans: Iterable[Plan], snapshot: Snapshot) -> list[dict[str, Any]]:
    """The upstreams of a route, Service or Backend with their endpoints as they are now."""
    found: dict[str, Upstream] = {}
    for plan in plans:
        named = {upstream.name for upstream in plan.upstreams.values() if upstream.owner == item.ref}
        named |= {name for route, shares in _shares(plan) if route == item.ref for name in _upstreams(shares)}
        found |= {name: plan.upstreams[name] for name in sorted(named)}
    return [
        {"upstream": name, "endpoints": [_endpoint(place) for place in _endpoints(upstream, snapshot)]}
        for name, upstream in found.items()
    ]


def _shares(plan: Plan) -> Iterator[tuple[Ref, Iterable[Share]]]:
    for action in actions(plan):
        yield action.origin.route, action.shares
    for _, stream in streams(plan):
        if stream.origin is not None:
            yield stream.origin.route, stream.shares


def _upstreams(shares: Iterable[Share]) -> Iterator[str]:
    return (share.target.upstream for share in shares if isinstance(share.target, Forward))


def _endpoints(upstream: Upstream, snapshot: Snapshot) -> Iterable[Endpoint]:
    return upstream.endpoints if upstream.discovery == "dns" else endpoint_group(snapshot, upstream).endpoints


def _endpoint(place: Endpoint) -> dict[str, Any]:
    return {"address": place.address, "port": place.port, "weight": place.weight, "state": place.state}


def _once(found: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Without repetition, in order."""
    return [dict(pairs) for pairs in dict.fromkeys(tuple((k, _key(v)) for k, v in item.items()) for item in found)]


def _key(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
