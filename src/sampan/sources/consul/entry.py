"""One entry of `/v1/health/service/NAME`: a node, an instance on it, and the checks of both. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.consul.errors import GarbageError
from sampan.documents.kinds.backend import socket_mistakes
from sampan.documents.kinds.instance import Check, Instance, InstanceState
from sampan.documents.kinds.scalars import NAME_PATTERN
from sampan.documents.kinds.shape import NO_STRINGS, FrozenDict
from sampan.sources.consul.labels import labels, protocol, said
from sampan.sources.consul.tags import Tags
from sampan.sources.consul.tags import read as read_tags

_LARGEST_WEIGHT = 65535  # Consul's own limit
_LONGEST_OUTPUT = 200
_HOSTNAME = re.compile(NAME_PATTERN)
_PASSING, _WARNING = "passing", "warning"


@dataclass(frozen=True, slots=True)
class Unusable:
    """An instance that nothing can be sent to."""

    id: str
    reason: str
    hint: str


def read(name: str, item: Any, own_node: str = "") -> tuple[dict[str, str], Instance] | Unusable | None:
    """Labels and Instance. None for what is no instance of the service itself (Connect's proxies speak mutual TLS among
    themselves). GarbageError if it is no entry at all. `own_node` is that of this machine."""
    try:
        return _read(name, item["Node"], item["Service"], item.get("Checks") or (), own_node)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise GarbageError(f"service {name}: an instance that cannot be read ({error!r})") from None


def _read(
    name: str, node: Mapping[str, Any], service: Mapping[str, Any], checks: Any, own_node: str
) -> tuple[dict[str, str], Instance] | Unusable | None:
    if service.get("Kind"):
        return None
    given = tuple(map(str, service.get("Tags") or ()))
    meta = _strings(service.get("Meta"))
    tags = read_tags(given)
    own = str(service.get("ID") or name)
    place = _place(service, node, own_node)
    if isinstance(place, str):
        hint = "register it with 'Address' (an IP address or a host name) and 'Port'"
        return Unusable(own, place, hint)
    status, told = _health(checks)
    weights = service.get("Weights") or {}
    weight = int(weights.get("Warning" if status == _WARNING else "Passing", 1))
    locality = service.get("Locality") or node.get("Locality") or {}
    return labels(meta, tags), Instance(
        *place,
        weight=min(max(weight, 0), _LARGEST_WEIGHT),
        zone=_locality("Zone", locality, meta, tags, node),
        region=_locality("Region", locality, meta, tags, node),
        state=_STATES.get(status, "down"),
        protocol=protocol(meta, tags),
        service=name,
        node=str(node["Node"]),
        id=own,
        tags=given,
        meta=meta,
        checks=told,
    )


_STATES: Mapping[str, InstanceState] = {_PASSING: "ready", _WARNING: "ready"}


def _locality(word: str, locality: Mapping[str, Any], meta: Mapping[str, str], tags: Tags, node: Any) -> str:
    """Consul's own since 1.17; before that what the instance or its node says in meta."""
    lower = word.lower()
    found = locality.get(word) or said(lower, meta, tags) or (node.get("Meta") or {}).get(lower) or ""
    return str(found)[:253]


def _place(service: Mapping[str, Any], node: Mapping[str, Any], own_node: str) -> tuple[str, str, str, int] | str:
    """(address, hostname, unix path, port), or why there is none. Without an address of its own it is at its node's."""
    unix = str(service.get("SocketPath") or "")
    if unix:
        return _socket(unix, str(node["Node"]), own_node)
    port = int(service.get("Port") or 0)
    text = str(service.get("Address") or "").strip("[]")
    address = _address(text) if text else None
    # What listens on every address says so ('0.0.0.0', '::'); it is reached at its node's.
    if not text or (address is not None and address.is_unspecified):
        text = str(node.get("Address") or "").strip("[]")
        address = _address(text)
    if not 0 < port < 65536:
        return "it has no port" if port == 0 else f"{port} is no port"
    if address is not None:
        return (str(address), "", "", port)
    name = text.lower().rstrip(".")
    if len(name) <= 253 and _HOSTNAME.fullmatch(name) and not name.rpartition(".")[2].isdigit():
        return ("", name, "", port)
    return f"'{text}' is neither an IP address nor a host name"


def _socket(path: str, node: str, own_node: str) -> tuple[str, str, str, int] | str:
    for mistake in socket_mistakes(path):
        return mistake.reason
    # Another machine's path means nothing here, or something else: whoever registers there would choose which of our
    # sockets is published.
    if node != own_node:
        return f"the Unix socket {path} is one of node '{node}', which is not this machine"
    return ("", "", path, 0)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return None if getattr(found, "scope_id", None) else found


def _health(checks: Any) -> tuple[str, tuple[Check, ...]]:
    """The worst status of all checks, of the instance and of its node; maintenance is a check, and critical. The texts
    of passing ones change with every check and say nothing."""
    worst, told = _PASSING, []
    for check in checks:
        status = str(check["Status"])
        if status == _WARNING:
            worst = _WARNING if worst == _PASSING else worst
        elif status != _PASSING:
            worst = status
        output = "" if status == _PASSING else str(check.get("Output") or "")[:_LONGEST_OUTPUT]
        told.append(Check(str(check.get("Name") or check.get("CheckID") or ""), status, output))
    return worst, tuple(sorted(told, key=lambda check: check.name))


def _strings(given: Any) -> Mapping[str, str]:
    if not given:
        return NO_STRINGS
    return FrozenDict({str(key): str(value) for key, value in given.items()})
