"""Listeners of a Gateway: what they take, whom they let in, and whether they can stand beside each other on a port."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sampan.documents.kinds.gateway import Gateway, Listener
from sampan.documents.kinds.references import LabelSelector
from sampan.model.names import CORE, GATEWAY_API, Ref, hostname_covers, hostname_intersection
from sampan.resolve.units import Reader, unit

KindKey = tuple[str, str]

HTTP_ROUTE: KindKey = (GATEWAY_API, "HTTPRoute")
GRPC_ROUTE: KindKey = (GATEWAY_API, "GRPCRoute")
TLS_ROUTE: KindKey = (GATEWAY_API, "TLSRoute")
TCP_ROUTE: KindKey = (GATEWAY_API, "TCPRoute")

ROUTE_KINDS: tuple[KindKey, ...] = (HTTP_ROUTE, GRPC_ROUTE, TLS_ROUTE, TCP_ROUTE)
KINDS_BY_PROTOCOL: Mapping[str, tuple[KindKey, ...]] = {
    "HTTP": (HTTP_ROUTE, GRPC_ROUTE),
    "HTTPS": (HTTP_ROUTE, GRPC_ROUTE),
    "TLS": (TLS_ROUTE,),
    "TCP": (TCP_ROUTE,),
}

# Kubernetes puts this label on every Namespace; without a document for a namespace it is all that is known of it.
NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"


@dataclass(frozen=True, slots=True)
class Door:
    """A listener as routes see it. `hostname` "" takes every host. `kinds` are the route kinds that may attach.

    `conflict` is the reason of its Conflicted condition, or "". `index` is its place in the Gateway's document.
    """

    gateway: Ref
    name: str
    index: int
    port: int
    protocol: str
    hostname: str
    passthrough: bool
    kinds: tuple[KindKey, ...]
    refused_kinds: tuple[KindKey, ...]
    namespaces: str
    selector: LabelSelector | None
    conflict: str
    conflict_with: tuple[str, ...]

    @property
    def supported(self) -> bool:
        return self.protocol in KINDS_BY_PROTOCOL

    @property
    def open(self) -> bool:
        """Whether it takes part in what its port serves."""
        return self.supported and not self.conflict

    @property
    def terminates(self) -> bool:
        return self.protocol == "HTTPS" or (self.protocol == "TLS" and not self.passthrough)


def doors(gateway: Ref, spec: Gateway) -> tuple[Door, ...]:
    """All listeners of a Gateway, in the order of the document."""
    conflicts = dict(_conflicts(spec.listeners))
    return tuple(
        _door(gateway, index, listener, *conflicts.get(listener.name, ("", ())))
        for index, listener in enumerate(spec.listeners)
    )


def _door(gateway: Ref, index: int, listener: Listener, conflict: str, conflict_with: tuple[str, ...]) -> Door:
    allowed = listener.allowed_routes
    natural = KINDS_BY_PROTOCOL.get(listener.protocol, ())
    wanted = tuple((kind.group, kind.kind) for kind in allowed.kinds) or natural
    return Door(
        gateway,
        listener.name,
        index,
        listener.port,
        listener.protocol,
        listener.hostname,
        listener.protocol == "TLS" and listener.tls is not None and listener.tls.mode == "Passthrough",
        tuple(kind for kind in wanted if kind in natural),
        tuple(kind for kind in wanted if kind not in natural),
        allowed.namespaces.from_,
        allowed.namespaces.selector,
        conflict,
        conflict_with,
    )


def _conflicts(listeners: Iterable[Listener]) -> Iterator[tuple[str, tuple[str, tuple[str, ...]]]]:
    """(name, (reason, names of the others)) of each listener that is not distinct ("Distinct Listeners").

    HTTPS and TLS share a port, told apart by SNI, and so do Passthrough and Terminate; plain HTTP and TCP share with
    nothing else.
    """
    by_port: defaultdict[int, list[Listener]] = defaultdict(list)
    for listener in listeners:
        if listener.protocol in KINDS_BY_PROTOCOL:
            by_port[listener.port].append(listener)
    for members in by_port.values():
        families = {"TLS" if item.protocol == "HTTPS" else item.protocol for item in members}
        if len(families) > 1 or (families == {"TCP"} and len(members) > 1):
            for item in members:
                yield item.name, ("ProtocolConflict", _others(item, members))
            continue
        by_hostname: defaultdict[str, list[Listener]] = defaultdict(list)
        for item in members:
            by_hostname[item.hostname].append(item)
        for same in by_hostname.values():
            if len(same) > 1:
                for item in same:
                    yield item.name, ("HostnameConflict", _others(item, same))


def _others(listener: Listener, members: list[Listener]) -> tuple[str, ...]:
    return tuple(item.name for item in members if item is not listener)


@unit(tier=1)
def namespace_labels(reader: Reader, namespace: str) -> Mapping[str, str]:
    found = reader.get(Ref(CORE, "Namespace", "", namespace))
    return {NAMESPACE_NAME_LABEL: namespace, **(found.meta.labels if found else {})}


def lets_in(reader: Reader, door: Door, namespace: str) -> bool:
    """Whether routes of that namespace may attach."""
    if door.namespaces == "Same":
        return namespace == door.gateway.namespace
    if door.namespaces == "All":
        return True
    return door.selector is not None and door.selector.matches(reader.use(namespace_labels, namespace))


def more_specific(hostname: str, than: str) -> bool:
    """Whether `hostname` is strictly within `than`: exact within wildcard within "" (every host)."""
    return hostname != than and bool(hostname) and hostname_covers(than, hostname)


def overlapping(door: Door, others: Iterable[Door]) -> tuple[str, ...]:
    """Names of the listeners of the same port whose TLS a client might meet for this one's hosts (GEP-3567)."""
    if not door.terminates:
        return ()
    return tuple(
        other.name
        for other in others
        if other is not door
        and other.open
        and other.terminates
        and other.port == door.port
        and hostname_intersection(door.hostname, other.hostname) is not None
    )
