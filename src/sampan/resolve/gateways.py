"""GatewayClasses and Gateways: which are ours, what they ask for, and who has which port of the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sampan.documents.kinds.gateway import Gateway, GatewayClass
from sampan.model import codes, diagnostic
from sampan.model.diagnostic import FieldPath
from sampan.model.meta import Meta, Object, Origin
from sampan.model.names import GATEWAY_API, Ref
from sampan.model.status import Condition, Status
from sampan.resolve.conditions import ACCEPTED, CONTROLLER, not_accepted
from sampan.resolve.features import SUPPORTED_FEATURES
from sampan.resolve.hints import like_names
from sampan.resolve.listeners import Door, doors
from sampan.resolve.units import Reader, unit

OWN_CLASS = "sampan"

ClassState = Literal["ours", "refused", "foreign", "missing"]

# Addresses that stand for all of the machine's.
_WILDCARDS = frozenset({"0.0.0.0", "::"})


@unit(tier=1)
def class_state(reader: Reader, name: str) -> ClassState:
    """Whose the GatewayClass is. `refused`: ours, with parameters that Sampan does not know."""
    found = reader.get(Ref(GATEWAY_API, "GatewayClass", "", name))
    if found is None:
        return "ours" if name == OWN_CLASS else "missing"
    spec: GatewayClass = found.spec
    if spec.controller_name != CONTROLLER:
        return "foreign"
    return "ours" if spec.parameters_ref is None else "refused"


@unit(tier=2)
def class_status(reader: Reader, ref: Ref) -> Status | None:
    """Of a GatewayClass document; None if it is not ours."""
    found = reader.get(ref)
    if found is None:
        return None
    state = reader.use(class_state, ref.name)
    if state == "foreign":
        return None
    accepted = ACCEPTED
    if state == "refused":
        reason = "Sampan's GatewayClasses take no parameters"
        accepted = not_accepted("InvalidParameters", reason)
        reader.emit(
            diagnostic.of(codes.INVALID_PARAMETERS, found, reason, ("spec", "parametersRef"), "remove 'parametersRef'")
        )
    return _class_status(accepted)


def _class_status(accepted: Condition) -> Status:
    version = Condition("SupportedVersion", "True", "SupportedVersion", "Gateway API v1.6")
    features = tuple({"name": name} for name in SUPPORTED_FEATURES)
    return Status((accepted, version), extra=(("supportedFeatures", features),))


def built_in_class() -> tuple[Object, Status]:
    """The class that is there without a document, and its status: for whoever shows objects."""
    about = Meta(origin=Origin("built in"))
    spec = GatewayClass.model_validate({"controllerName": CONTROLLER, "description": "there without a document"})
    return Object(Ref(GATEWAY_API, "GatewayClass", "", OWN_CLASS), about, spec), _class_status(ACCEPTED)


@dataclass(frozen=True, slots=True, eq=False)
class GatewayFacts:
    """A Gateway of ours. `refusal` is its condition Accepted where that is False for the whole of it, else None.

    `addresses` () means all of the machine's.
    """

    ref: Ref
    doors: tuple[Door, ...]
    addresses: tuple[str, ...] = ()
    refusal: Condition | None = None


@unit(tier=2)
def gateway_facts(reader: Reader, ref: Ref) -> GatewayFacts | None:
    """None if there is no such Gateway or another controller runs it."""
    found = reader.get(ref)
    if found is None:
        return None
    spec: Gateway = found.spec
    state = reader.use(class_state, spec.gateway_class_name)
    if state == "missing":
        wanted = Ref(GATEWAY_API, "GatewayClass", "", spec.gateway_class_name)
        hint = reader.use(like_names, wanted) or f"Sampan's own class is '{OWN_CLASS}'"
        reason = f"there is no GatewayClass '{spec.gateway_class_name}', so nobody runs this Gateway"
        reader.emit(diagnostic.of(codes.UNKNOWN_CLASS, found, reason, ("spec", "gatewayClassName"), hint))
    if state in ("missing", "foreign"):
        return None
    refusal = None
    if state == "refused":
        refusal = Condition(
            "Accepted", "Unknown", "Pending", f"GatewayClass '{spec.gateway_class_name}' is not accepted"
        )
    for index, address in enumerate(spec.addresses):
        if address.type != "IPAddress":
            reason = f"addresses of type {address.type} are not supported"
            refusal = refusal or not_accepted("UnsupportedAddress", reason)
            field: FieldPath = ("spec", "addresses", index, "type")
            reader.emit(diagnostic.of(codes.UNSUPPORTED_ADDRESS, found, reason, field, "use type IPAddress"))
    if spec.infrastructure is not None and spec.infrastructure.parameters_ref is not None:
        reason = "Sampan's Gateways take no parameters"
        refusal = refusal or not_accepted("InvalidParameters", reason)
        field = ("spec", "infrastructure", "parametersRef")
        reader.emit(diagnostic.of(codes.INVALID_PARAMETERS, found, reason, field, "remove 'parametersRef'"))
    addresses = tuple(address.value for address in spec.addresses if address.type == "IPAddress" and address.value)
    return GatewayFacts(ref, doors(ref, spec), addresses, refusal)


@unit(tier=3)
def lost_ports(reader: Reader) -> Mapping[Ref, Mapping[int, Ref]]:
    """Ports that a Gateway of ours wants and an older one has on the same address: Gateway → port → who has it."""
    gateways = sorted(reader.bucket((GATEWAY_API, "Gateway")), key=lambda item: item.age_key)
    taken: dict[tuple[int, str], Ref] = {}
    lost: dict[Ref, dict[int, Ref]] = {}
    for gateway in gateways:
        facts = reader.use(gateway_facts, gateway.ref)
        if facts is None or facts.refusal is not None:
            continue
        addresses = [] if set(facts.addresses) & _WILDCARDS else list(facts.addresses)
        for port in sorted({door.port for door in facts.doors if door.open}):
            holder = _holder(taken, port, addresses)
            if holder is not None:
                lost.setdefault(gateway.ref, {})[port] = holder
                continue
            for address in addresses or [""]:
                taken[port, address] = gateway.ref
    return lost


def _holder(taken: Mapping[tuple[int, str], Ref], port: int, addresses: list[str]) -> Ref | None:
    everywhere = taken.get((port, ""))
    if everywhere is not None:
        return everywhere
    if not addresses:
        return next((ref for (number, _), ref in taken.items() if number == port), None)
    return next((taken[port, address] for address in addresses if (port, address) in taken), None)
