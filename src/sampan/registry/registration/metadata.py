"""Metadata, weights and addresses of services: Consul's limits and words (agent/structs, agent.validateService)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Any

from sampan.registry.registration.decode import RegistrationError
from sampan.registry.rows import ServiceAddress, Weights

_MOST_PAIRS = 64
_LONGEST_KEY = 128
_LONGEST_VALUE = 512
_RESERVED = "consul-"
_KEY = re.compile(r"[a-zA-Z0-9_-]+")
# Mesh gateways of Consul mark themselves with it (allowedConsulMetaKeysForMeshGateway).
_OF_MESH_GATEWAYS = frozenset({"consul-wan-federation"})
_HEAVIEST = 65535


def check_meta(meta: Mapping[str, str], kind: str = "") -> None:
    if len(meta) > _MOST_PAIRS:
        raise RegistrationError(f"Node metadata cannot contain more than {_MOST_PAIRS} key/value pairs")
    for key, value in meta.items():
        if problem := _of_pair(key, value, kind):
            raise RegistrationError(f"Couldn't load metadata pair ('{key}', '{value}'): {problem}")


def _of_pair(key: str, value: str, kind: str) -> str:
    if not key:
        return "Key cannot be blank"
    if not _KEY.fullmatch(key):
        return "Key contains invalid characters"
    if len(key) > _LONGEST_KEY:
        return f"Key is too long (limit: {_LONGEST_KEY} characters)"
    if key.startswith(_RESERVED) and not (kind == "mesh-gateway" and key in _OF_MESH_GATEWAYS):
        return f"Key prefix '{_RESERVED}' is reserved for internal use"
    if len(value.encode()) > _LONGEST_VALUE:
        return f"Value is too long (limit: {_LONGEST_VALUE} characters)"
    return ""


def weights(given: Mapping[str, int]) -> Weights:
    return Weights(Passing=given.get("Passing", 0), Warning=given.get("Warning", 0))


def weights_problem(weights: Weights) -> str:
    """ "" where they are good."""
    if weights["Passing"] < 1:
        return "Passing must be greater than 0"
    if weights["Warning"] < 0:
        return "Warning must be greater or equal than 0"
    if max(weights["Passing"], weights["Warning"]) > _HEAVIEST:
        return "DNS Weight must be between 0 and 65535"
    return ""


def is_any(address: str) -> bool:
    """Nothing can be reached there."""
    return address in ("0.0.0.0", "::", "[::]")


def as_tagged(given: Mapping[str, Any]) -> dict[str, ServiceAddress]:
    return {
        name: ServiceAddress(Address=one.get("Address", ""), Port=one.get("Port", 0)) for name, one in given.items()
    }


def tagged(address: str, port: int, given: Mapping[str, Any]) -> dict[str, ServiceAddress]:
    """What is given, and the service's own address under the names of its family. Raises RegistrationError."""
    result = as_tagged(given)
    for version, family in ((4, "ipv4"), (6, "ipv6")):
        for name in (f"lan_{family}", f"wan_{family}"):
            if name in result and not _is(result[name]["Address"], version):
                raise RegistrationError(f'Service tagged address "{name}" must be a valid {family} address', 500)
        if _is(address, version):
            for name in (f"lan_{family}", f"wan_{family}"):
                result.setdefault(name, ServiceAddress(Address=address, Port=port))
    return result


def _is(address: str, version: int) -> bool:
    # Most addresses are IPv4 or names: told apart before an exception is made for each.
    if (":" in address) != (version == 6) or not address:
        return False
    try:
        IPv4Address(address) if version == 4 else IPv6Address(address)
    except AddressValueError:
        return False
    return True
