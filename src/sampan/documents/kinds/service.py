"""Service and EndpointSlice: what runs where, in Kubernetes' words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from sampan.documents.kinds.gateway import is_address
from sampan.documents.kinds.scalars import (
    PORT_NAME_PATTERN,
    Boolean,
    LabelKey,
    LabelValue,
    Port,
    PreciseHostname,
    matches,
)
from sampan.documents.kinds.shape import NO_STRINGS, Frozen, Mistake, Shape, Spec, duplicates, refuse

Transport = Literal["TCP", "UDP", "SCTP"]
AppProtocol = Annotated[str, Field(max_length=253)]


def _port_or_name(value: object) -> object:
    """One validator for both, so that a mistake is told once and not for each possibility."""
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65535:
        return value
    if isinstance(value, str) and len(value) <= 63 and matches(PORT_NAME_PATTERN, value) and not value.isdigit():
        return value
    hint = f"write {value} without quotes" if isinstance(value, str) and value.isdigit() else ""
    refuse([Mistake("a target port is a number from 1 to 65535 or the name of a port", (), hint)])
    return value


class ServicePort(Shape):
    """A port of a Service, and where it leads."""

    name: Annotated[str, Field(max_length=63)] = ""
    protocol: Transport = "TCP"
    app_protocol: AppProtocol = ""
    """What is spoken: `http`, `https`, `grpc`, `kubernetes.io/h2c`, `kubernetes.io/ws`, `kubernetes.io/wss`, `tcp`."""
    port: Port
    target_port: Annotated[int | str | None, BeforeValidator(_port_or_name)] = None
    """The port of the instances, by number or name; the same as `port` if absent. Backends and registered instances are
    reached at their own ports whatever the number is; a name takes only Backends whose port has that name."""
    node_port: Annotated[int, Field(strict=True, ge=0, le=65535)] | None = None
    """Ignored."""


class Service(Spec):
    """A name for instances that do the same.

    Its endpoints are those of EndpointSlices labelled `kubernetes.io/service-name`, and of every `Backend` and
    registered instance whose labels its `selector` matches. `{sampan.dev/service: reviews, version: v2}` takes the
    instances of version v2 that are registered as `reviews`; every instance is reached at its own port, so `ports` may
    be any. Fields that only a Kubernetes node acts on are accepted and ignored.
    """

    type: Literal["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"] = "ClusterIP"
    selector: Annotated[Mapping[LabelKey, LabelValue], Frozen] = NO_STRINGS
    ports: tuple[ServicePort, ...] = ()
    external_name: PreciseHostname = ""
    """The DNS name behind a Service of type ExternalName."""
    cluster_ip: Annotated[str, Field(alias="clusterIP")] = ""
    """An address, or `None` for a headless Service."""
    cluster_ips: Annotated[tuple[str, ...], Field(alias="clusterIPs")] = ()
    publish_not_ready_addresses: Boolean = False
    """Endpoints count even while they are not ready."""
    session_affinity: Literal["None", "ClientIP"] = "None"
    session_affinity_config: Any = None
    external_ips: Annotated[tuple[str, ...], Field(alias="externalIPs")] = ()
    external_traffic_policy: str = ""
    internal_traffic_policy: str = ""
    traffic_distribution: str = ""
    health_check_node_port: int | None = None
    ip_families: tuple[str, ...] = ()
    ip_family_policy: str = ""
    load_balancer_ip: Annotated[str, Field(alias="loadBalancerIP")] = ""
    load_balancer_class: str = ""
    load_balancer_source_ranges: tuple[str, ...] = ()
    allocate_load_balancer_node_ports: Boolean | None = None

    def mistakes(self) -> Iterator[Mistake]:
        if self.type == "ExternalName" and not self.external_name:
            yield Mistake(
                "a Service of type ExternalName needs 'externalName'", (), "add 'externalName:' with a DNS name"
            )
        if self.type != "ExternalName" and not self.ports and self.cluster_ip != "None":
            yield Mistake("a Service needs at least one port", (), "add 'ports:'")
        if self.cluster_ip not in ("", "None") and not is_address(self.cluster_ip):
            yield Mistake(f"'{self.cluster_ip}' is not an IP address", ("clusterIP",), "an address, or None")
        for index, first, port in duplicates(self.ports, lambda port: (port.port, port.protocol)):
            yield Mistake(f"port {port.port}/{port.protocol} is already in ports[{first}]", ("ports", index, "port"))
        yield from port_name_mistakes(self.ports)


def port_name_mistakes(ports: tuple[Any, ...]) -> Iterator[Mistake]:
    """Several ports need names, all different."""
    for index, first, port in duplicates(ports, lambda port: port.name or None):
        yield Mistake(f"the name '{port.name}' is already taken by ports[{first}]", ("ports", index, "name"))
    if len(ports) > 1:
        for index, port in enumerate(ports):
            if not port.name:
                yield Mistake("where there are several ports each needs a name", ("ports", index), "add 'name:'")


class EndpointConditions(Shape):
    """Whether an endpoint takes requests. What is unknown (absent) counts as yes."""

    ready: Boolean | None = None
    serving: Boolean | None = None
    terminating: Boolean | None = None


class Endpoint(Shape):
    """One instance."""

    addresses: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=253)], ...], Field(min_length=1, max_length=100)
    ]
    """All of the same instance; the first is used, as Kubernetes says."""
    conditions: EndpointConditions = EndpointConditions()
    hostname: Annotated[str, Field(max_length=63)] = ""
    node_name: str = ""
    zone: str = ""
    target_ref: Any = None
    hints: Any = None
    deprecated_topology: Annotated[Mapping[str, str], Frozen] = NO_STRINGS


class EndpointPort(Shape):
    """A port that all endpoints of the slice have; `name` is that of the Service's port."""

    name: Annotated[str, Field(max_length=63)] = ""
    port: Port | None = None
    protocol: Transport = "TCP"
    app_protocol: AppProtocol = ""


class EndpointSlice(Spec):
    """Instances of the Service named by the label `kubernetes.io/service-name`."""

    address_type: Literal["IPv4", "IPv6", "FQDN"]
    endpoints: Annotated[tuple[Endpoint, ...], Field(max_length=1000)] = ()
    ports: Annotated[tuple[EndpointPort, ...], Field(max_length=20000)] = ()

    def mistakes(self) -> Iterator[Mistake]:
        for index, endpoint in enumerate(self.endpoints):
            for number, address in enumerate(endpoint.addresses):
                if not _is_of_type(address, self.address_type):
                    yield Mistake(
                        f"'{address}' is not {_ADDRESS_WORDS[self.address_type]}",
                        ("endpoints", index, "addresses", number),
                    )
        yield from port_name_mistakes(self.ports)


_ADDRESS_WORDS = {"IPv4": "an IPv4 address", "IPv6": "an IPv6 address", "FQDN": "a DNS name"}


def _is_of_type(address: str, address_type: str) -> bool:
    if address_type == "FQDN":
        return not is_address(address) and all(label and label.isascii() for label in address.rstrip(".").split("."))
    return is_address(address) and (":" in address) == (address_type == "IPv6")


class NamespaceSpec(Spec):
    """A Namespace; its labels are what `allowedRoutes.namespaces.selector` looks at."""

    finalizers: tuple[str, ...] = ()
