"""A service's registration at the agent: `PUT /v1/agent/service/register`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.registry.registration import checks, decode, metadata
from sampan.registry.registration.checks import CheckRegistration
from sampan.registry.registration.decode import Fields, RegistrationError
from sampan.registry.rows import NodeService, Weights

ADDRESS: Fields = decode.fields(Address=decode.text, Port=decode.number)
WEIGHTS: Fields = decode.fields(Passing=decode.number, Warning=decode.number)
CONNECT: Fields = decode.fields(Native=decode.truth, SidecarService=decode.record_as_given, PeerMeta=decode.as_given)
PROXY: Fields = decode.fields(
    DestinationServiceName=decode.text,
    DestinationServiceID=decode.text,
    LocalServiceAddress=decode.text,
    LocalServicePort=decode.number,
    LocalServiceSocketPath=decode.text,
    Mode=decode.text,
    TransparentProxy=decode.record_as_given,
    MutualTLSMode=decode.text,
    Config=decode.record_as_given,
    Upstreams=decode.many(decode.record_as_given, "structs.Upstream"),
    MeshGateway=decode.record_as_given,
    Expose=decode.record_as_given,
    EnvoyExtensions=decode.as_given,
    AccessLogs=decode.as_given,
)
# What an agent and a catalogue registration have in common. `Service` of the latter is `Name` of the former.
COMMON: Fields = decode.fields(
    Kind=decode.text,
    ID=decode.text,
    Tags=decode.texts,
    Address=decode.text,
    TaggedAddresses=decode.by_key(decode.nested(ADDRESS), "structs.ServiceAddress"),
    Meta=decode.text_by_key,
    Port=decode.number,
    Ports=decode.as_given,
    SocketPath=decode.text,
    Weights=decode.nested(WEIGHTS),
    EnableTagOverride=decode.truth,
    Proxy=decode.nested(PROXY),
    Connect=decode.nested(CONNECT),
    Locality=decode.text_by_key,
    Namespace=decode.namespace,
    Partition=decode.text,
)
_KNOWN: Fields = {
    **COMMON,
    **decode.fields(Name=decode.text, Check=decode.as_given, Checks=decode.many(decode.as_given, "*structs.CheckType")),
    **decode.fields(Token=decode.text),
}
# As every answer has them: shared, since a row is never changed in place.
_NO_PROXY: dict[str, Any] = {"MeshGateway": {}, "Expose": {}}
_NO_CONNECT: dict[str, Any] = {}
_NATIVE: dict[str, Any] = {"Native": True}
_NO_TAGS: list[str] = []
EVEN = Weights(Passing=1, Warning=1)
_GATEWAYS = ("mesh-gateway", "terminating-gateway", "ingress-gateway")


@dataclass(frozen=True, slots=True)
class ServiceRegistration:
    service: NodeService
    checks: list[CheckRegistration]


def of_agent(value: Any) -> ServiceRegistration:
    """Raises RegistrationError in Consul's words, and finds mistakes in Consul's order."""
    try:
        given = decode.record(value, _KNOWN)
    except RegistrationError as error:
        raise RegistrationError(f"Request decode failed: {error}") from None
    name, address = given.get("Name", ""), given.get("Address", "")
    if not name:
        raise RegistrationError("Missing service name")
    if metadata.is_any(address):
        raise RegistrationError("Invalid service address")
    weights = metadata.weights(given["Weights"]) if "Weights" in given else EVEN
    if problem := metadata.weights_problem(weights):
        raise RegistrationError(f"Invalid Weights: {problem}")
    try:
        metadata.check_meta(given.get("Meta", {}), given.get("Kind", ""))
    except RegistrationError as error:
        raise RegistrationError(f"Invalid Service Meta: {error}") from None
    check_kind(given)
    found = checks.of_service(given.get("Check"), given.get("Checks", ()))
    addresses = metadata.tagged(address, given.get("Port", 0), given.get("TaggedAddresses", {}))
    return ServiceRegistration(node_service(given, name, weights, addresses), found)


def node_service(given: Mapping[str, Any], name: str, weights: Weights, addresses: Mapping[str, Any]) -> NodeService:
    """The row, with fields in the order in which Consul says them."""
    row: dict[str, Any] = {"Kind": given["Kind"]} if given.get("Kind") else {}
    row["ID"] = given.get("ID") or name
    row["Service"] = name
    row["Tags"] = given.get("Tags") or _NO_TAGS
    row["Address"] = given.get("Address", "")
    if addresses:
        row["TaggedAddresses"] = addresses
    row["Meta"] = given.get("Meta")
    row["Port"] = given.get("Port", 0)
    row.update({later: given[later] for later in ("Ports", "SocketPath", "Locality") if given.get(later)})
    row["Weights"] = weights
    row["EnableTagOverride"] = given.get("EnableTagOverride", False)
    row["Proxy"] = {**given["Proxy"], **_shown(given["Proxy"])} if given.get("Proxy") else _NO_PROXY
    row["Connect"] = _NATIVE if given.get("Connect", {}).get("Native") else _NO_CONNECT
    row["CreateIndex"] = row["ModifyIndex"] = 0
    return row  # type: ignore[return-value]


def _shown(proxy: Mapping[str, Any]) -> dict[str, Any]:
    return {name: proxy.get(name, {}) for name in ("MeshGateway", "Expose")}


def check_kind(given: Mapping[str, Any]) -> None:
    """What proxies and gateways of Consul's mesh must have; other kinds are anyone's."""
    kind, proxy = given.get("Kind", ""), given.get("Proxy", {})
    mistakes: list[str] = []
    if kind == "connect-proxy":
        if not proxy.get("DestinationServiceName", "").strip():
            mistakes.append("Proxy.DestinationServiceName must be non-empty for Connect proxy services")
        if not given.get("Port"):
            mistakes.append("Port must be set for a Connect proxy")
        if given.get("Connect", {}).get("Native"):
            mistakes.append("A Proxy cannot also be Connect Native, only typical services")
    elif kind in _GATEWAYS:
        if not given.get("Port") and kind != "ingress-gateway":
            mistakes.append(f"Port must be non-zero for a {kind}")
        mistakes += [
            f"The Proxy.{name} configuration is invalid for a {kind}"
            for name in ("DestinationServiceName", "DestinationServiceID", "LocalServiceAddress", "LocalServicePort")
            if proxy.get(name)
        ]
    if mistakes:
        counted = "1 error occurred" if len(mistakes) == 1 else f"{len(mistakes)} errors occurred"
        raise RegistrationError(f"{counted}:\n" + "".join(f"\t* {mistake}\n" for mistake in mistakes) + "\n")
