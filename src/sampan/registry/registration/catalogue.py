"""Registrations straight into the catalogue: `PUT /v1/catalog/register` and `deregister`."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from sampan.consul.durations import format_duration
from sampan.registry.registration import checks, decode, metadata, services
from sampan.registry.registration.decode import Fields, RegistrationError
from sampan.registry.rows import STATUSES, NodeService, Status

_DEFINITION: Fields = {
    **decode.alias(checks.HOW, Args="ScriptArgs"),
    **decode.fields(IntervalDuration=decode.seconds, TimeoutDuration=decode.seconds),
    **decode.fields(DeregisterCriticalServiceAfterDuration=decode.seconds),
}
CHECK: Fields = decode.fields(
    Node=decode.text,
    CheckID=decode.text,
    Name=decode.text,
    Status=decode.text,
    Notes=decode.text,
    Output=decode.text,
    ServiceID=decode.text,
    ServiceName=decode.text,
    ServiceTags=decode.texts,
    Type=decode.text,
    Definition=decode.nested(_DEFINITION),
    Interval=decode.as_given,
    Timeout=decode.as_given,
    ExposedPort=decode.number,
    PeerName=decode.text,
    Namespace=decode.namespace,
    Partition=decode.text,
    CreateIndex=decode.number,
    ModifyIndex=decode.number,
)
SERVICE: Fields = {
    **services.COMMON,
    **decode.fields(Service=decode.text, PeerName=decode.text, CreateIndex=decode.number, ModifyIndex=decode.number),
}
_REGISTER: Fields = decode.fields(
    Datacenter=decode.text,
    ID=decode.text,
    Node=decode.text,
    Address=decode.text,
    TaggedAddresses=decode.text_by_key,
    NodeMeta=decode.text_by_key,
    Service=decode.nested(SERVICE),
    Check=decode.nested(CHECK),
    Checks=decode.many(decode.nested(CHECK), "*structs.HealthCheck"),
    SkipNodeUpdate=decode.truth,
    Locality=decode.text_by_key,
    PeerName=decode.text,
    Namespace=decode.namespace,
    Partition=decode.text,
    Token=decode.text,
)
_DEREGISTER: Fields = decode.fields(
    Datacenter=decode.text,
    Node=decode.text,
    Address=decode.text,
    ServiceID=decode.text,
    CheckID=decode.text,
    PeerName=decode.text,
    Namespace=decode.namespace,
    Partition=decode.text,
    Token=decode.text,
)


@dataclass(frozen=True, slots=True)
class CheckEntry:
    """What somebody else found out. `shown` is the definition as the catalogue says it."""

    check_id: str
    name: str
    status: Status
    notes: str
    output: str
    service_id: str
    kind: str
    shown: dict[str, Any]


@dataclass(frozen=True, slots=True)
class NodeEntry:
    """`keep_node`: the node stays as it is if it is there already."""

    node: str
    address: str
    node_id: str
    datacenter: str
    keep_node: bool
    tagged_addresses: dict[str, str] | None
    meta: dict[str, str] | None
    service: NodeService | None
    checks: list[CheckEntry]


@dataclass(frozen=True, slots=True)
class Removal:
    """The service, else the check, else the whole node."""

    node: str
    datacenter: str
    service_id: str
    check_id: str


def of_register(value: Any) -> NodeEntry:
    """Raises RegistrationError."""
    given = _decoded(value, _REGISTER)
    node, keep = given.get("Node", ""), given.get("SkipNodeUpdate", False)
    _check_node(node, given.get("ID", ""))
    if not given.get("Address") and not keep:
        raise RegistrationError("Must provide address if SkipNodeUpdate is not set", 500)
    entries = [*given.get("Checks", ()), *([given["Check"]] if "Check" in given else [])]
    return NodeEntry(
        node,
        given.get("Address", ""),
        given.get("ID", "").lower(),
        given.get("Datacenter", ""),
        keep,
        given.get("TaggedAddresses"),
        given.get("NodeMeta"),
        _service(given["Service"], node) if "Service" in given else None,
        [_check(entry, node) for entry in entries],
    )


def of_deregister(value: Any) -> Removal:
    """Raises RegistrationError."""
    given = _decoded(value, _DEREGISTER)
    if not given.get("Node"):
        raise RegistrationError("Must provide node", 500)
    return Removal(given["Node"], given.get("Datacenter", ""), given.get("ServiceID", ""), given.get("CheckID", ""))


def _decoded(value: Any, known: Fields) -> dict[str, Any]:
    try:
        return decode.record(value, known)
    except RegistrationError as error:
        raise RegistrationError(f"Request decode failed: {error}") from None


def _check_node(node: str, node_id: str) -> None:
    if not node:
        raise RegistrationError("Must provide node", 500)
    if not node.isprintable():
        raise RegistrationError("Node names must be of printable characters", 500)
    if node_id:
        try:
            uuid.UUID(node_id)
        except ValueError:
            raise RegistrationError(f"Bad node ID: {node_id!r} is no UUID", 500) from None


def _service(given: Mapping[str, Any], node: str) -> NodeService | None:
    name, service_id = given.get("Service", ""), given.get("ID", "")
    try:
        services.check_kind(given)
    except RegistrationError as error:
        raise RegistrationError(str(error), 500) from None
    if service_id and not name:
        raise RegistrationError("Must provide service name with ID", 500)
    if not name:
        raise RegistrationError("Must provide service name", 500)
    if metadata.is_any(given.get("Address", "")):
        raise RegistrationError("Invalid service address", 500)
    try:
        metadata.check_meta(given.get("Meta", {}), given.get("Kind", ""))
    except RegistrationError as error:
        where = f"Invalid Service Meta for node {node} and serviceID {service_id or name}"
        raise RegistrationError(f"failed inserting service: {where}: {error}", 500) from None
    # Weights that are no good are as good as none here (ToServiceNode).
    weights = metadata.weights(given.get("Weights", {}))
    if metadata.weights_problem(weights):
        weights = services.EVEN
    addresses = metadata.as_tagged(given.get("TaggedAddresses", {}))
    return services.node_service(given, name, weights, addresses)


def _check(given: Mapping[str, Any], node: str) -> CheckEntry:
    check_id = given.get("CheckID") or given.get("Name") or ""
    status = given.get("Status") or "critical"
    if not check_id:
        raise RegistrationError("Must provide a check's CheckID or Name", 500)
    if given.get("Node", node).lower() != node.lower():
        raise RegistrationError(f'check node "{given["Node"]}" does not match node "{node}"', 500)
    if status not in STATUSES:
        raise RegistrationError(f"Invalid check status: '{status}'")
    definition = given.get("Definition", {})
    return CheckEntry(
        check_id,
        given.get("Name", ""),
        cast(Status, status),
        given.get("Notes", ""),
        given.get("Output", ""),
        given.get("ServiceID", ""),
        given.get("Type") or checks.kind_of(definition),
        {name: _said(name, value) for name, value in definition.items() if value and not name.endswith("Duration")},
    )


def _said(name: str, value: Any) -> Any:
    """Durations as HealthCheckDefinition's MarshalJSON has them: a TTL stays a number of nanoseconds."""
    if name == "TTL":
        return round(value * 1e9)
    return format_duration(value) if isinstance(value, float) else value
