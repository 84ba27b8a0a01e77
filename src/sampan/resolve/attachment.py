"""Routes and their parents: to which listeners a route attaches, for which hosts, and why not to others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sampan.documents.kinds.references import ParentReference
from sampan.model import codes, diagnostic
from sampan.model.diagnostic import FieldPath
from sampan.model.meta import Object
from sampan.model.names import CORE, GATEWAY_API, Ref, hostname_intersection
from sampan.model.status import Condition
from sampan.resolve.conditions import ACCEPTED, not_accepted
from sampan.resolve.gateways import GatewayFacts, class_state, gateway_facts
from sampan.resolve.hints import did_you_mean, other_names
from sampan.resolve.listeners import Door, KindKey, lets_in
from sampan.resolve.units import Reader

HostPair = tuple[str, str]
"""(host in common with the listener, the route's own host name it comes from); "" stands for every host."""
ALL_HOSTS: tuple[HostPair, ...] = (("", ""),)


@dataclass(frozen=True, slots=True, eq=False)
class Parent:
    """One parentRef of ours: what is said of it in the route's status. `listeners` took the route."""

    reference: Mapping[str, Any]
    index: int
    gateway: Ref
    listeners: tuple[str, ...]
    accepted: Condition = ACCEPTED


@dataclass(frozen=True, slots=True, eq=False)
class Attached:
    """All parents of a route, and the listeners that took it with the hosts in common. `missing`: some Gateway that it
    names does not exist."""

    parents: tuple[Parent, ...]
    doors: tuple[tuple[Door, tuple[HostPair, ...]], ...]
    missing: bool = False


def attach(reader: Reader, route: Object, kind: KindKey, hostnames: Sequence[str] | None) -> Attached:
    """`hostnames` None: routes of this kind know no host names."""
    parents: list[Parent] = []
    missing = False
    doors: dict[tuple[Ref, str], tuple[Door, tuple[HostPair, ...]]] = {}
    for index, reference in enumerate(route.spec.parent_refs):
        facts, lost = _gateway(reader, route, reference, ("spec", "parentRefs", index))
        missing = missing or lost
        if facts is None:
            continue
        taken, refusal = _take(reader, route, kind, hostnames, reference, facts, index)
        names = tuple(door.name for door, _ in taken)
        parents.append(
            Parent(_written(route, reference), index, facts.ref, names, ACCEPTED if refusal is None else refusal)
        )
        for door, pairs in taken:
            doors[facts.ref, door.name] = (door, pairs)
    return Attached(tuple(parents), tuple(doors.values()), missing)


def _gateway(
    reader: Reader, route: Object, reference: ParentReference, at: FieldPath
) -> tuple[GatewayFacts | None, bool]:
    """The Gateway if it is ours, and whether it (or its class) does not exist at all."""
    if reference.kind != "Gateway" or reference.group != GATEWAY_API:
        _report_kind(reader, route, reference, at)
        return None, False
    ref = Ref(GATEWAY_API, "Gateway", reference.namespace or route.ref.namespace, reference.name)
    facts = reader.use(gateway_facts, ref)
    if facts is not None:
        return facts, False
    found = reader.get(ref)
    if found is not None:
        return None, reader.use(class_state, found.spec.gateway_class_name) == "missing"
    hint = reader.use(other_names, ref)
    reader.emit(diagnostic.of(codes.MISSING_PARENT, route, f"{ref} does not exist", (*at, "name"), hint))
    return None, True


def _report_kind(reader: Reader, route: Object, reference: ParentReference, at: FieldPath) -> None:
    if (reference.group, reference.kind) == (CORE, "Service"):
        reason = "routes for the traffic between services (a Service as parent) have no effect yet"
        reader.emit(diagnostic.of(codes.MESH_PARENT, route, reason, (*at, "kind"), "name a Gateway"))
        return
    reason = f"a {reference.kind} of group '{reference.group}' cannot be a route's parent"
    reader.emit(diagnostic.of(codes.UNSUPPORTED_REFERENCE, route, reason, (*at, "kind"), "name a Gateway"))


def _take(
    reader: Reader,
    route: Object,
    kind: KindKey,
    hostnames: Sequence[str] | None,
    reference: ParentReference,
    facts: GatewayFacts,
    index: int,
) -> tuple[list[tuple[Door, tuple[HostPair, ...]]], Condition | None]:
    section, port = reference.section_name, reference.port
    if section or port is not None:
        meant = [
            door
            for door in facts.doors
            if (not section or door.name == section) and (port is None or door.port == port)
        ]
        if not meant:
            return [], _no_listener(reader, route, reference, facts, index)
    else:
        meant = list(facts.doors)
    open_ = [door for door in meant if kind in door.kinds and lets_in(reader, door, route.ref.namespace)]
    if not open_:
        reason = _why_not(meant, kind, route)
        _report(reader, route, codes.NOT_ALLOWED, reason, index, "see 'allowedRoutes' of the listener")
        return [], not_accepted("NotAllowedByListeners", reason)
    if hostnames is None:
        return [(door, ALL_HOSTS) for door in open_], None
    taken = []
    for door in open_:
        pairs = _hosts(door.hostname, hostnames)
        if pairs:
            taken.append((door, pairs))
    if not taken:
        listeners = ", ".join(f"'{door.hostname}'" for door in open_)
        reason = f"none of the route's host names is among those of the listeners ({listeners})"
        field: FieldPath = ("spec", "hostnames")
        reader.emit(diagnostic.of(codes.NO_COMMON_HOSTNAME, route, reason, field))
        return [], not_accepted("NoMatchingListenerHostname", reason)
    return taken, None


def _hosts(listener: str, hostnames: Sequence[str]) -> tuple[HostPair, ...]:
    if not hostnames:
        return ((listener, ""),)
    found: dict[str, str] = {}
    for own in hostnames:
        common = hostname_intersection(listener, own)
        # Two of a route's host names may meet a narrow listener in the same host: the longer one decides precedence.
        if common is not None and (common not in found or _closer(own, found[common])):
            found[common] = own
    return tuple(found.items())


def _closer(own: str, other: str) -> bool:
    return (not own.startswith("*"), len(own)) > (not other.startswith("*"), len(other))


def _no_listener(
    reader: Reader, route: Object, reference: ParentReference, facts: GatewayFacts, index: int
) -> Condition:
    names = [door.name for door in facts.doors]
    if reference.section_name and reference.section_name not in names:
        reason = f"{facts.ref} has no listener '{reference.section_name}'"
        hint = did_you_mean(reference.section_name, names) or f"its listeners: {', '.join(names)}"
        _report(reader, route, codes.MISSING_LISTENER, reason, index, hint, "sectionName")
    else:
        which = f"listener '{reference.section_name}'" if reference.section_name else "listener"
        reason = f"{facts.ref} has no {which} on port {reference.port}"
        ports = ", ".join(str(port) for port in sorted({door.port for door in facts.doors}))
        _report(reader, route, codes.MISSING_LISTENER, reason, index, f"its ports: {ports}", "port")
    return not_accepted("NoMatchingParent", reason)


def _why_not(meant: Sequence[Door], kind: KindKey, route: Object) -> str:
    if not any(kind in door.kinds for door in meant):
        return f"no listener takes routes of kind {kind[1]}"
    return f"no listener takes routes of namespace '{route.ref.namespace}'"


def _report(
    reader: Reader, route: Object, code: codes.Code, reason: str, index: int, hint: str, *last: str | int
) -> None:
    reader.emit(diagnostic.of(code, route, reason, ("spec", "parentRefs", index, *last), hint))


def _written(route: Object, reference: ParentReference) -> Mapping[str, Any]:
    written: dict[str, Any] = {
        "group": reference.group,
        "kind": reference.kind,
        "namespace": reference.namespace or route.ref.namespace,
        "name": reference.name,
    }
    if reference.section_name:
        written["sectionName"] = reference.section_name
    if reference.port is not None:
        written["port"] = reference.port
    return MappingProxyType(written)
