"""The columns of `sampan get`, for each kind: as kubectl prints them, and what the Gateway API's status adds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sampan.cli import instances
from sampan.model.names import REGISTERED_NAME, SOURCE_LABEL

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """`wide` columns show with `-o wide` only."""

    heading: str
    cell: Callable[[Item], str]
    wide: bool = False


# ---- reading an object


def at(item: Any, *path: str | int) -> Any:
    """What stands at a path, or None."""
    for part in path:
        try:
            item = item[part]
        except (KeyError, IndexError, TypeError):
            return None
    return item


def conditions_of(item: Item) -> list[tuple[str, Item]]:
    """Every condition with whose it is: "" the object's own, else the parent, ancestor or listener."""
    status = item.get("status") or {}
    found = [("", condition) for condition in status.get("conditions") or ()]
    for listener in status.get("listeners") or ():
        found += [(f"listener {listener.get('name')}", condition) for condition in listener.get("conditions") or ()]
    for key, reference in (("parents", "parentRef"), ("ancestors", "ancestorRef")):
        for parent in status.get(key) or ():
            whose = reference_text(parent.get(reference) or {})
            found += [(whose, condition) for condition in parent.get("conditions") or ()]
    return found


def reference_text(reference: Item) -> str:
    """`Gateway/default/shop/https`: kind, namespace, name and section of a reference."""
    parts = [reference.get(key) for key in ("kind", "namespace", "name", "sectionName")]
    return "/".join(str(part) for part in parts if part)


def truth(type_: str, *, own: bool = False) -> Callable[[Item], str]:
    """A cell for a condition: `True`, `False`, `Unknown`, or `1/2` if true for one of two parents."""

    def cell(item: Item) -> str:
        states = [
            str(condition.get("status"))
            for whose, condition in conditions_of(item)
            if condition.get("type") == type_ and not (own and whose)
        ]
        if len(set(states)) > 1:
            return f"{states.count('True')}/{len(states)}"
        return states[0] if states else ""

    return cell


# Conditions that are true when something is wrong; all others are right when true (Gateway API, GEP-1364).
NEGATIVE = frozenset({"Conflicted", "PartiallyInvalid", "OverlappingTLSConfig", "Degraded"})


def reasons(item: Item) -> str:
    """The reasons of all conditions that are not as they should be, once each."""
    wrong = (
        str(condition.get("reason"))
        for _, condition in conditions_of(item)
        if condition.get("status") != ("False" if condition.get("type") in NEGATIVE else "True")
    )
    return ",".join(dict.fromkeys(wrong))


def age(item: Item, now: datetime | None = None) -> str:
    """As kubectl: the two largest units that matter (`45s`, `3m20s`, `5h`, `12d`)."""
    created = at(item, "metadata", "creationTimestamp")
    moment = parse_time(created)
    return duration(((now or datetime.now(UTC)) - moment).total_seconds()) if moment else "<unknown>"


def parse_time(text: Any) -> datetime | None:
    """RFC 3339, or seconds since 1970."""
    try:
        if isinstance(text, int | float):
            return datetime.fromtimestamp(text, UTC)
        moment = datetime.fromisoformat(str(text))
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def duration(seconds: float) -> str:
    """kubectl's `HumanDuration`: precise while young, coarse when old."""
    whole = max(0, int(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return f"{minutes}m{whole % 60}s" if whole % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    return f"{days}d"


def _joined(values: Iterable[Any]) -> str:
    return ",".join(str(value) for value in values)


def _listed(*path: str | int) -> Callable[[Item], str]:
    return lambda item: _joined(at(item, *path) or ())


def _text(*path: str | int) -> Callable[[Item], str]:
    return lambda item: str(at(item, *path) or "")


def _parents(item: Item) -> str:
    references = at(item, "spec", "parentRefs") or ()
    return _joined("/".join(str(ref[key]) for key in ("name", "sectionName") if ref.get(key)) for ref in references)


def _targets(item: Item) -> str:
    return _joined(reference_text({**ref, "namespace": ""}) for ref in at(item, "spec", "targetRefs") or ())


def _gateway_address(item: Item) -> str:
    return _joined(address.get("value") for address in at(item, "status", "addresses") or ())


def _listeners(item: Item) -> str:
    listeners = at(item, "spec", "listeners") or ()
    return _joined(f"{listener.get('protocol')}:{listener.get('port')}" for listener in listeners)


def _attached(item: Item) -> str:
    listeners = at(item, "status", "listeners")
    return str(sum(listener.get("attachedRoutes") or 0 for listener in listeners)) if listeners else ""


def _published(item: Item) -> str:
    """How many services it publishes now."""
    return str(at(item, "status", "publishedServices") or 0)


def _service_ports(item: Item) -> str:
    ports = at(item, "spec", "ports") or ()
    return _joined(f"{port.get('port')}/{port.get('protocol') or 'TCP'}" for port in ports)


def _service_endpoints(item: Item) -> str:
    """`2`, or `2/3` where one of three is not ready."""
    found = at(item, "status", "endpoints")
    if not found:
        return ""
    ready, total = found.get("ready"), found.get("total")
    return str(total) if ready == total else f"{ready}/{total}"


def _selector(item: Item) -> str:
    return _joined(f"{key}={value}" for key, value in (at(item, "spec", "selector") or {}).items())


def _backend_addresses(item: Item) -> str:
    spec = item.get("spec") or {}
    port = at(spec, "port", "port")
    outside = at(spec, "externalHostname", "hostname")
    if outside:
        return f"{outside}:{port}"
    return _joined(_endpoint(endpoint, port) for endpoint in spec.get("endpoints") or ())


def _endpoint(endpoint: Item, port: object) -> str:
    if endpoint.get("unix"):
        return str(endpoint["unix"])
    host = str(endpoint.get("address") or endpoint.get("hostname") or "")
    return f"[{host}]:{endpoint.get('port') or port}" if ":" in host else f"{host}:{endpoint.get('port') or port}"


def _body(item: Item, key: str) -> Any:
    """A field of a kind without a spec, which stands beside the metadata."""
    return item.get(key) or at(item, "spec", key)


def _slice_endpoints(item: Item) -> str:
    endpoints = _body(item, "endpoints") or ()
    return _joined(address for endpoint in endpoints for address in endpoint.get("addresses") or ())


def _slice_ports(item: Item) -> str:
    return _joined(port.get("port") for port in _body(item, "ports") or ())


def _data_count(item: Item) -> str:
    return str(len({key for field in ("data", "stringData", "binaryData") for key in _body(item, field) or ()}))


def _sides(side: str) -> Callable[[Item], str]:
    return lambda item: _joined(reference_text(entry) for entry in at(item, "spec", side) or ())


NAME = Column("NAME", _text("metadata", "name"))
NAMESPACE = Column("NAMESPACE", _text("metadata", "namespace"))
AGE = Column("AGE", age)
_ACCEPTED = Column("ACCEPTED", truth("Accepted"))
_RESOLVED = Column("RESOLVED", truth("ResolvedRefs"))
_REASON = Column("REASON", reasons)
_PARENTS = Column("PARENTS", _parents)
_HOSTNAMES = Column("HOSTNAMES", _listed("spec", "hostnames"))
_ROUTE = (_HOSTNAMES, _PARENTS, _ACCEPTED, _RESOLVED, _REASON)
_POLICY = (Column("TARGETS", _targets), _ACCEPTED, _REASON)

COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "GatewayClass": (Column("CONTROLLER", _text("spec", "controllerName")), _ACCEPTED),
    "Gateway": (
        Column("CLASS", _text("spec", "gatewayClassName")),
        Column("ADDRESS", _gateway_address),
        Column("PROGRAMMED", truth("Programmed", own=True)),
        Column("ROUTES", _attached),
        Column("LISTENERS", _listeners, wide=True),
        Column("REASON", reasons, wide=True),
    ),
    "ListenerSet": (_ACCEPTED, Column("PROGRAMMED", truth("Programmed", own=True)), _REASON),
    "HTTPRoute": _ROUTE,
    "GRPCRoute": _ROUTE,
    "TLSRoute": _ROUTE,
    "TCPRoute": _ROUTE[1:],
    "UDPRoute": _ROUTE[1:],
    "ReferenceGrant": (Column("FROM", _sides("from")), Column("TO", _sides("to"))),
    "BackendTLSPolicy": _POLICY,
    "Publication": (_PARENTS, Column("SERVICES", _published), _ACCEPTED, _RESOLVED, _REASON),
    "Backend": (Column("ADDRESSES", _backend_addresses), _ACCEPTED),
    "Service": (
        Column("TYPE", lambda item: str(at(item, "spec", "type") or "ClusterIP")),
        Column("PORT(S)", _service_ports),
        Column("ENDPOINTS", _service_endpoints),
        Column("FROM", _text("status", "source")),
        Column("SELECTOR", _selector, wide=True),
        Column("REGISTERED AS", _text("metadata", "annotations", REGISTERED_NAME), wide=True),
    ),
    "Instance": (
        Column("SERVICE", _text("spec", "service")),
        Column("VERSION", _text("metadata", "labels", "version")),
        Column("ADDRESS", lambda item: instances.address(at(item, "spec") or {})),
        Column("STATE", _text("status", "state")),
        Column("WHY", lambda item: instances.why(at(item, "status", "checks") or ())),
        Column("WEIGHT", _text("spec", "weight"), wide=True),
        Column("ZONE", _text("spec", "zone"), wide=True),
        Column("FROM", _text("metadata", "labels", SOURCE_LABEL), wide=True),
    ),
    "EndpointSlice": (
        Column("ADDRESSTYPE", lambda item: str(_body(item, "addressType") or "")),
        Column("PORTS", _slice_ports),
        Column("ENDPOINTS", _slice_endpoints),
    ),
    "Secret": (Column("TYPE", lambda item: str(_body(item, "type") or "Opaque")), Column("DATA", _data_count)),
    "ConfigMap": (Column("DATA", _data_count),),
    "Namespace": (),
}


def columns(kind: str, items: Iterable[Item], *, wide: bool = False, namespaces: bool = False) -> tuple[Column, ...]:
    """Of the table of these objects of a kind. An unknown kind of our group is a policy. Documents in files seldom say
    when they were made: there is an age only where one of them does."""
    middle = tuple(column for column in COLUMNS.get(kind, _POLICY) if wide or not column.wide)
    aged = any(at(item, "metadata", "creationTimestamp") for item in items)
    return (*((NAMESPACE,) if namespaces else ()), NAME, *middle, *((AGE,) if aged else ()))


def rows(items: Sequence[Item], chosen: Sequence[Column]) -> list[list[str]]:
    return [[column.cell(item) for column in chosen] for item in items]
