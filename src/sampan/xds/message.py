"""Delta discovery on the wire: requests parsed, responses joined, error texts read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError

from sampan.envoy import protos, wire
from sampan.envoy.consistent import references_of
from sampan.envoy.table import Row
from sampan.envoy.types import CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET


class BadRequestError(Exception):
    """What came on a stream is no request we can answer."""


@dataclass(frozen=True, slots=True)
class Node:
    """Who speaks: the bootstrap's node id and cluster; `version` of Envoy as `1.40.0`, "" if it did not say."""

    id: str
    cluster: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """A DeltaDiscoveryRequest. `error` is the detail of a NACK, "" for an ACK or a request that answers nothing."""

    type: str
    subscribe: tuple[str, ...] = ()
    unsubscribe: tuple[str, ...] = ()
    initial: Mapping[str, str] | None = None
    nonce: str = ""
    error: str = ""
    node: Node | None = None


def request(data: bytes) -> Request:
    """Parses one. BadRequestError if it is none."""
    try:
        message = protos.discovery.DeltaDiscoveryRequest.FromString(data)
    except DecodeError as error:
        raise BadRequestError(f"not a delta discovery request: {error}") from None
    return Request(
        message.type_url,
        tuple(message.resource_names_subscribe),
        tuple(message.resource_names_unsubscribe),
        dict(message.initial_resource_versions),
        message.response_nonce,
        (message.error_detail.message or "refused") if message.HasField("error_detail") else "",
        _node(message.node) if message.HasField("node") and message.node.id else None,
    )


def _node(node: Any) -> Node:
    build = node.user_agent_build_version.version
    version = f"{build.major_number}.{build.minor_number}.{build.patch}"
    return Node(node.id, node.cluster, "" if version == "0.0.0" else version)


def response(type_url: str, rows: Sequence[Row], removed: Sequence[str], nonce: str, version: str) -> bytes:
    """A DeltaDiscoveryResponse: system_version_info 1, resources 2, type_url 4, nonce 5, removed_resources 6.

    Every row is in its serialised form already: 2 µs for one row, 30 µs for a thousand.
    """
    parts = [wire.text(1, version)]
    for item in rows:
        parts += (item.head, item.body)
    parts += (wire.text(4, type_url), wire.text(5, nonce))
    parts += (wire.field(6, name.encode()) for name in removed)
    return b"".join(parts)


def refused_names(type_url: str, error: str, sent: Collection[str]) -> frozenset[str]:
    """Which of the sent names an error text blames; empty if it does not say.

    Only for clusters and listeners Envoy applies the good ones and names the bad: `Error adding/updating cluster(s) a:
    why, b: why`. Every other text (a field's constraint, a route's regex) means that nothing of the response counted.
    """
    if type_url not in (CLUSTER, LISTENER) or not error.startswith("Error adding/updating "):
        return frozenset()
    _, _, blamed = error.partition("(s) ")
    return frozenset(name for name in sent if blamed.startswith(f"{name}: ") or f", {name}: " in blamed)


def children(item: Row) -> tuple[tuple[str, str], ...]:
    """(type, name) that Envoy will ask for because of this row, and needs before the row is in force."""
    if item.type == CLUSTER:
        cluster = protos.cluster.Cluster.FromString(item.body)
        if not cluster.HasField("transport_socket") and not cluster.transport_socket_matches:
            return ((ENDPOINT, cluster.eds_cluster_config.service_name or cluster.name),) if _by_eds(cluster) else ()
    elif item.type != LISTENER:
        return ()
    return tuple(dict.fromkeys(found for found in references_of(item) if found[0] in (ENDPOINT, ROUTE, SECRET)))


def _by_eds(cluster: Any) -> bool:
    return cluster.WhichOneof("cluster_discovery_type") == "type" and bool(cluster.type == cluster.EDS)
