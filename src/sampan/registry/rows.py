"""The catalogue's rows, in the shape in which clients read them, and how they are found and waited for.

Names are found whatever their case is, as in Consul (the state store's indexes are lower-cased).
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from sampan.registry.tables import Topic

Status = Literal["passing", "warning", "critical"]
STATUSES: tuple[Status, ...] = ("passing", "warning", "critical")
SERF_HEALTH = "serfHealth"
NODE_MAINTENANCE = "_node_maintenance"
SERVICE_MAINTENANCE = "_service_maintenance:"

NODES, SERVICES, CHECKS = "nodes", "services", "checks"
"""Topics of the tables as wholes."""


class NodeRow(TypedDict):
    ID: str
    Node: str
    Address: str
    Datacenter: str
    TaggedAddresses: dict[str, str] | None
    Meta: dict[str, str] | None
    CreateIndex: int
    ModifyIndex: int


class Weights(TypedDict):
    Passing: int
    Warning: int


class ServiceAddress(TypedDict):
    Address: str
    Port: int


class NodeService(TypedDict):
    """`/v1/health/service/…[].Service`. Later Consuls' fields (SocketPath, Locality) only where registered."""

    Kind: NotRequired[str]
    ID: str
    Service: str
    Tags: list[str]
    Address: str
    TaggedAddresses: NotRequired[dict[str, ServiceAddress]]
    Meta: dict[str, str] | None
    Port: int
    SocketPath: NotRequired[str]
    Weights: Weights
    EnableTagOverride: bool
    Proxy: dict[str, Any]
    Connect: dict[str, Any]
    Locality: NotRequired[dict[str, str]]
    CreateIndex: int
    ModifyIndex: int


class ServiceRow(TypedDict):
    """An instance: the node that it is on, and what clients read of it."""

    Node: str
    Service: NodeService


class CheckRow(TypedDict):
    """`/v1/health/checks/…[]`. `ServiceID` "" for a check of the node. `Type` "" for what the catalogue was told."""

    Node: str
    CheckID: str
    Name: str
    Status: Status
    Notes: str
    Output: str
    ServiceID: str
    ServiceName: str
    ServiceTags: list[str]
    Type: str
    Definition: dict[str, Any]
    CreateIndex: int
    ModifyIndex: int


class DefinitionRow(TypedDict, total=False):
    """How a check of our own node is run. A field that was not given is absent; durations are seconds."""

    HTTP: str
    Header: dict[str, list[str]]
    Method: str
    Body: str
    DisableRedirects: bool
    TLSSkipVerify: bool
    TLSServerName: str
    TCP: str
    TCPUseTLS: bool
    UDP: str
    GRPC: str
    GRPCUseTLS: bool
    H2PING: str
    H2PingUseTLS: bool
    AliasNode: str
    AliasService: str
    Interval: float
    Timeout: float
    TTL: float
    DeregisterCriticalServiceAfter: float
    SuccessBeforePassing: int
    FailuresBeforeWarning: int
    FailuresBeforeCritical: int
    OutputMaxSize: int


_BETWEEN = "\x1f"
"""Between the node and the rest of a key; no node's name has it (`registration` refuses control characters)."""


def node_key(node: str) -> str:
    return node.lower()


def service_key(node: str, service_id: str) -> str:
    return f"{node}{_BETWEEN}{service_id}".lower()


def check_key(node: str, check_id: str) -> str:
    return f"{node}{_BETWEEN}{check_id}"


def service_topic(name: str) -> Topic:
    """Its instances, their checks, or their nodes and the nodes' own checks changed."""
    return ("service", name.lower())


def node_topic(node: str) -> Topic:
    """The node, its services or its checks changed."""
    return ("node", node.lower())
