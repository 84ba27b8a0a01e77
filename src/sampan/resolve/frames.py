"""All of a Gateway but its routes: listeners with their TLS and policies, and what is said of them in its status."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sampan.documents.kinds.gateway import Gateway
from sampan.model import codes, diagnostic
from sampan.model.meta import Object
from sampan.model.names import Ref
from sampan.model.policy import Policies
from sampan.model.status import Condition, ListenerStatus, Status
from sampan.resolve.conditions import (
    ACCEPTED,
    NO_CONFLICTS,
    PROGRAMMED,
    RESOLVED_REFS,
    conflicted,
    not_accepted,
    not_programmed,
    unresolved,
)
from sampan.resolve.gateways import GatewayFacts, gateway_facts, lost_ports
from sampan.resolve.listener_tls import NO_TLS, ListenerTls, listener_tls
from sampan.resolve.listeners import Door, overlapping
from sampan.resolve.policies import listener_policies
from sampan.resolve.references import certificate_at
from sampan.resolve.units import Reader, unit

_CLIENT_REASONS = {
    "kind": "InvalidClientCertificateRef",
    "permission": "RefNotPermitted",
    "content": "InvalidClientCertificateRef",
}


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Parallel to `facts.doors`: TLS and policies of each listener. `lost`: ports that an older Gateway has."""

    facts: GatewayFacts
    tls: tuple[ListenerTls, ...]
    policies: tuple[Policies, ...]
    gateway_policies: Policies
    lost: Mapping[int, Ref]
    client: Condition

    def served(self, door: Door) -> bool:
        """Whether the listener's port is opened and it takes part there. Without a usable certificate it still owns its
        hosts, but nobody gets in."""
        return self.facts.refusal is None and door.open and door.port not in self.lost

    def enters(self, door: Door) -> bool:
        """Whether connections for the listener are taken."""
        return self.served(door) and not (door.terminates and self.tls[door.index].tls is None)


@unit(tier=6)
def frame(reader: Reader, ref: Ref) -> Frame | None:
    """Of a Gateway; None if it is not ours."""
    facts = reader.use(gateway_facts, ref)
    found = reader.get(ref)
    if facts is None or found is None:
        return None
    tls = tuple(
        reader.use(listener_tls, ref, door.name) if door.terminates and door.open else NO_TLS for door in facts.doors
    )
    policies = tuple(reader.use(listener_policies, ref, door.name) for door in facts.doors)
    lost = reader.use(lost_ports).get(ref, {})
    _report(reader, found, facts, lost)
    return Frame(facts, tls, policies, reader.use(listener_policies, ref, ""), lost, _client(reader, found))


def _report(reader: Reader, gateway: Object, facts: GatewayFacts, lost: Mapping[int, Ref]) -> None:
    for door in facts.doors:
        at = ("spec", "listeners", door.index)
        if not door.supported:
            reason = f"protocol '{door.protocol}' is not supported"
            hint = "use HTTP, HTTPS, TLS or TCP"
            reader.emit(diagnostic.of(codes.UNSUPPORTED_PROTOCOL, gateway, reason, (*at, "protocol"), hint))
            continue
        if door.conflict:
            last = "hostname" if door.conflict == "HostnameConflict" else "protocol"
            hint = "give one of them another port" + (" or hostname" if last == "hostname" else "")
            reader.emit(diagnostic.of(codes.LISTENER_CONFLICT, gateway, _conflict_words(door), (*at, last), hint))
        if door.refused_kinds:
            reader.emit(
                diagnostic.of(codes.INVALID_ROUTE_KIND, gateway, _kind_words(door), (*at, "allowedRoutes", "kinds"), "")
            )
        if door.port in lost:
            reason = f"port {door.port} belongs to {lost[door.port]}, which comes first"
            hint = "use another port, or give the Gateways different 'addresses'"
            reader.emit(diagnostic.of(codes.PORT_TAKEN, gateway, reason, (*at, "port"), hint))


def _client(reader: Reader, gateway: Object) -> Condition:
    """Of the certificate that the Gateway shows to backends."""
    spec: Gateway = gateway.spec
    backend = spec.tls.backend if spec.tls is not None else None
    reference = backend.client_certificate_ref if backend is not None else None
    if reference is None:
        return RESOLVED_REFS
    to = Ref(reference.group, reference.kind, reference.namespace or gateway.ref.namespace, reference.name)
    followed = certificate_at(reader, gateway.ref, to)
    if followed.value is not None:
        return RESOLVED_REFS
    field = ("spec", "tls", "backend", "clientCertificateRef", "kind" if followed.fault == "kind" else "name")
    reader.emit(diagnostic.of(followed.code, gateway, followed.reason, field, followed.hint))
    return unresolved(_CLIENT_REASONS[followed.fault], followed.reason)


def _conflict_words(door: Door) -> str:
    others = " and ".join(f"'{name}'" for name in door.conflict_with)
    if door.conflict == "HostnameConflict":
        return f"listener '{door.name}' has the same port and hostname as {others}"
    return f"listener '{door.name}' cannot share port {door.port} with {others}"


def _kind_words(door: Door) -> str:
    kinds = ", ".join(kind for _, kind in door.refused_kinds)
    return f"a listener of protocol {door.protocol} does not serve routes of kind {kinds}"


# ---- status


def gateway_status(frame: Frame, attached: Callable[[str], int]) -> Status:
    """`attached`: how many accepted routes a listener has, by its name."""
    listeners = tuple(_listener_status(frame, door, attached(door.name)) for door in frame.facts.doors)
    accepted = _gateway_accepted(frame, listeners)
    conditions = [accepted, _gateway_programmed(frame, accepted, listeners), _gateway_resolved(frame, listeners)]
    if any(tls.insecure for tls in frame.tls):
        words = "clients without a valid certificate are let in"
        conditions.append(Condition("InsecureFrontendValidationMode", "True", "ConfigurationChanged", words))
    addresses = tuple({"type": "IPAddress", "value": value} for value in frame.facts.addresses or ("0.0.0.0",))
    return Status(tuple(conditions), listeners, extra=(("addresses", addresses),))


def _gateway_accepted(frame: Frame, listeners: Iterable[ListenerStatus]) -> Condition:
    if frame.facts.refusal is not None:
        return frame.facts.refusal
    good, bad = _split(listeners, "Accepted")
    if not bad:
        return ACCEPTED
    words = f"listeners not accepted: {', '.join(bad)}"
    if good:
        return Condition("Accepted", "True", "ListenersNotValid", f"{words}; accepted: {', '.join(good)}")
    return not_accepted("ListenersNotValid", words)


def _gateway_programmed(frame: Frame, accepted: Condition, listeners: Iterable[ListenerStatus]) -> Condition:
    if accepted.status != "True" and not frame.lost:
        return not_programmed("Invalid", accepted.message)
    if frame.lost:
        words = "; ".join(
            f"port {port} belongs to {ref}, which comes first" for port, ref in sorted(frame.lost.items())
        )
        return not_programmed("AddressNotUsable", words)
    good, bad = _split(listeners, "Programmed")
    return PROGRAMMED if good else not_programmed("Invalid", f"listeners not programmed: {', '.join(bad)}")


def _gateway_resolved(frame: Frame, listeners: Iterable[ListenerStatus]) -> Condition:
    if frame.client.status != "True":
        return frame.client
    _, bad = _split(listeners, "ResolvedRefs")
    return unresolved("ListenersNotResolved", f"listeners: {', '.join(bad)}") if bad else RESOLVED_REFS


def _split(listeners: Iterable[ListenerStatus], type_: str) -> tuple[list[str], list[str]]:
    """Names of those where the condition is True, and of the others."""
    split: tuple[list[str], list[str]] = ([], [])
    for listener in listeners:
        holds = any(item.type == type_ and item.status == "True" for item in listener.conditions)
        split[0 if holds else 1].append(listener.name)
    return split


def _listener_status(frame: Frame, door: Door, attached: int) -> ListenerStatus:
    tls = frame.tls[door.index]
    accepted = _listener_accepted(frame, door, tls)
    resolved = tls.resolved
    if door.refused_kinds and door.supported:
        resolved = unresolved("InvalidRouteKinds", _kind_words(door))
    programmed = PROGRAMMED
    if not frame.enters(door):
        words = accepted.message if accepted.status != "True" else resolved.message
        programmed = not_programmed("Invalid", words)
    conflict = conflicted(door.conflict, _conflict_words(door)) if door.conflict else NO_CONFLICTS
    conditions = [accepted, programmed, resolved, conflict]
    names = overlapping(door, frame.facts.doors) if door.open else ()
    if names:
        words = f"hosts overlap with those of listeners {', '.join(names)} on the same port"
        conditions.append(Condition("OverlappingTLSConfig", "True", "OverlappingHostnames", words))
    return ListenerStatus(door.name, door.kinds, attached, tuple(conditions))


def _listener_accepted(frame: Frame, door: Door, tls: ListenerTls) -> Condition:
    if not door.supported:
        return not_accepted("UnsupportedProtocol", f"protocol '{door.protocol}' is not supported")
    if door.conflict:
        return not_accepted(door.conflict, _conflict_words(door))
    if door.port in frame.lost:
        return not_accepted(
            "PortUnavailable", f"port {door.port} belongs to {frame.lost[door.port]}, which comes first"
        )
    return tls.refusal or ACCEPTED
