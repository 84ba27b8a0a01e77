"""One route: where it attaches, the entries or streams it brings, what it says in its status."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sampan.documents.kinds.references import WeightedBackendReference
from sampan.model.meta import Object
from sampan.model.names import Ref, resource_name
from sampan.model.plan import Entry, Forward, Match, Respond, RuleOrigin, Share, TcpApplication
from sampan.model.status import Condition
from sampan.resolve.attachment import Attached, HostPair, Parent, attach
from sampan.resolve.backends import NOBODY, Choice, UpstreamKey, Wish
from sampan.resolve.conditions import RESOLVED_REFS, not_accepted, unresolved
from sampan.resolve.listeners import GRPC_ROUTE, HTTP_ROUTE, TCP_ROUTE, TLS_ROUTE, Door, KindKey
from sampan.resolve.matches import grpc_matches, http_matches, matched_prefix
from sampan.resolve.policies import affect, gateway_layers, in_force, rule_layers
from sampan.resolve.precedence import MatchKey
from sampan.resolve.rules import Context, Findings, RuleReader
from sampan.resolve.targets import attached
from sampan.resolve.units import Reader, unit

LineKey = tuple[MatchKey, tuple[str, str, str], int, int]
"""Match, age of the route, rule, match: sorts the entries of one host name."""


Place = tuple[Ref, str]
"""A listener: its Gateway and its name."""


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """An entry and its place among others."""

    key: LineKey
    entry: Entry


@dataclass(frozen=True, slots=True, eq=False)
class Attachment:
    """What a route brings to one listener: lines for HTTP, else a stream."""

    hosts: tuple[HostPair, ...]
    lines: tuple[Line, ...] = ()
    stream: TcpApplication | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RouteFacts:
    """A route resolved. `partly`: its condition PartiallyInvalid, if some of its rules cannot be served as written."""

    ref: Ref
    age: tuple[str, str, str]
    parents: tuple[Parent, ...] = ()
    attachments: Mapping[Place, Attachment] = field(default_factory=dict)
    upstreams: tuple[UpstreamKey, ...] = ()
    resolved: Condition = RESOLVED_REFS
    partly: Condition | None = None


@unit(tier=8)
def route_facts(reader: Reader, ref: Ref) -> RouteFacts | None:
    """Of a route of any kind; None if it is gone."""
    route = reader.get(ref)
    if route is None:
        return None
    return _READERS[ref.group, ref.kind](reader, route)


def _http(reader: Reader, route: Object) -> RouteFacts:
    return _ruled(reader, route, HTTP_ROUTE, http_matches, matched_prefix)


def _grpc(reader: Reader, route: Object) -> RouteFacts:
    return _ruled(reader, route, GRPC_ROUTE, grpc_matches, lambda _: "")


def _ruled(
    reader: Reader,
    route: Object,
    kind: KindKey,
    matches_of: Callable[[Any], list[tuple[MatchKey, Match]]],
    prefix_of: Callable[[Any], str],
) -> RouteFacts:
    found = attach(reader, route, kind, route.spec.hostnames)
    policies = attached(reader, route.ref)
    rules = RuleReader(reader, route, policies, kind is GRPC_ROUTE)
    matches = [matches_of(rule) for rule in route.spec.rules]
    redirects = any(_redirects(rule) for rule in route.spec.rules)
    lines: dict[Any, tuple[Line, ...]] = {}
    attachments: dict[Place, Attachment] = {}
    for door, hosts in found.doors:
        layers = gateway_layers(reader, door.gateway, door.name)
        affect(reader, policies, door.gateway)
        # Listeners of a Gateway share a route's actions unless these depend on something of the listener's own.
        own = door.name if len(layers) > 1 else ""
        context_key = (door.gateway, own, door.port if redirects else 0, door.terminates if redirects else False)
        if context_key not in lines:
            context = Context(door.gateway, door.port, door.terminates, layers)
            lines[context_key] = _lines(route, rules, matches, prefix_of, context)
        attachments[door.gateway, door.name] = Attachment(hosts, lines[context_key])
    if not attachments:
        _look_over(route, rules, found)
    return _facts(reader, route, found.parents, attachments, rules.findings)


def _redirects(rule: Any) -> bool:
    places = (rule, *(reference for reference in rule.backend_refs if reference.filters))
    return any(item.type == "RequestRedirect" for place in places for item in place.filters)


def _lines(
    route: Object,
    rules: RuleReader,
    matches: list[list[tuple[MatchKey, Match]]],
    prefix_of: Callable[[Any], str],
    context: Context,
) -> tuple[Line, ...]:
    age = route.age_key
    lines = []
    for index, rule in enumerate(route.spec.rules):
        action = rules.action(rule, index, prefix_of(rule), context)
        for number, (key, match) in enumerate(matches[index]):
            lines.append(Line((key, age, index, number), Entry(match, action)))
    return tuple(lines)


def _look_over(route: Object, rules: RuleReader, found: Attached) -> None:
    """The references of a route that no listener took are checked all the same: its status speaks of them, or at least
    the diagnostics do where its Gateway is missing."""
    if found.parents or found.missing:
        for index, rule in enumerate(route.spec.rules):
            rules.action(rule, index, "", Context(NOBODY, 80, False, ()))
        rules.findings.upstreams.clear()


# ---- streams


def _tls(reader: Reader, route: Object) -> RouteFacts:
    return _streams(reader, route, TLS_ROUTE, route.spec.hostnames)


def _tcp(reader: Reader, route: Object) -> RouteFacts:
    return _streams(reader, route, TCP_ROUTE, None)


def _streams(reader: Reader, route: Object, kind: KindKey, hostnames: Any) -> RouteFacts:
    found = attach(reader, route, kind, hostnames)
    rules = RuleReader(reader, route, attached(reader, route.ref), False)
    attachments: dict[Place, Attachment] = {}
    for door, hosts in found.doors:
        affect(reader, rules.attached, door.gateway)
        stream = _stream(reader, route, rules, door)
        attachments[door.gateway, door.name] = Attachment(hosts, stream=stream)
    if not attachments and (found.parents or found.missing):
        _chosen(rules, "tcp", NOBODY)
    return _facts(reader, route, found.parents, attachments, rules.findings)


def _stream(reader: Reader, route: Object, rules: RuleReader, door: Door) -> TcpApplication:
    """A TLSRoute or TCPRoute has exactly one rule."""
    rule = route.spec.rules[0]
    layers = (*gateway_layers(reader, door.gateway, door.name), *rule_layers(rules.attached, rule.name))
    policies = in_force(reader, route.ref.kind, layers)
    shares = []
    for reference, chosen in _chosen(rules, "passthrough" if door.passthrough else "tcp", door.gateway):
        if not reference.weight:
            continue
        if chosen.upstream is None:
            reason = chosen.fault.message if chosen.fault else ""
            shares.append(Share(reference.weight, Respond(503, reason), policies=policies))
            continue
        rules.findings.upstreams[chosen.upstream] = None
        shares.append(Share(reference.weight, Forward(chosen.name), policies=policies))
    if not shares:
        shares.append(Share(1, Respond(503, "all backends have weight 0"), policies=policies))
    ref = route.ref
    name = resource_name(ref.kind.lower(), ref.namespace, ref.name)
    return TcpApplication(name, tuple(shares), RuleOrigin(ref, 0, rule.name), policies)


def _chosen(rules: RuleReader, wish: Wish, gateway: Ref) -> list[tuple[WeightedBackendReference, Choice]]:
    rules.wish = wish
    return [
        (reference, rules.choose(reference, ("spec", "rules", 0, "backendRefs", number), gateway))
        for number, reference in enumerate(rules.route.spec.rules[0].backend_refs)
    ]


# ---- what is said of it


def _facts(
    reader: Reader,
    route: Object,
    parents: tuple[Parent, ...],
    attachments: Mapping[Place, Attachment],
    findings: Findings,
) -> RouteFacts:
    for found in findings.reported:
        reader.emit(found)
    resolved = RESOLVED_REFS
    if findings.faults:
        first = next(iter(findings.faults))
        words = "; ".join(dict.fromkeys(fault.message for fault in findings.faults))
        resolved = unresolved(first.reason, words)
    partly: Condition | None = None
    if findings.unusable:
        words = "; ".join(f"rule {index}: {reason}" for index, reason in sorted(findings.unusable.items()))
        if len(findings.unusable) == len(route.spec.rules):
            refusal = not_accepted("UnsupportedValue", words)
            parents = tuple(_refused(parent, refusal) for parent in parents)
        else:
            # The words that GEP-1364 asks for; the requests of such a rule get an error.
            partly = Condition("PartiallyInvalid", "True", "UnsupportedValue", f"Dropped Rule: {words}")
    return RouteFacts(route.ref, route.age_key, parents, attachments, tuple(findings.upstreams), resolved, partly)


def _refused(parent: Parent, refusal: Condition) -> Parent:
    if parent.accepted.status != "True":
        return parent
    return Parent(parent.reference, parent.index, parent.gateway, (), refusal)


_READERS: Mapping[KindKey, Callable[[Reader, Object], RouteFacts]] = {
    HTTP_ROUTE: _http,
    GRPC_ROUTE: _grpc,
    TLS_ROUTE: _tls,
    TCP_ROUTE: _tcp,
}
