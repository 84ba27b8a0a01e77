"""Gateway and GatewayClass: where traffic comes in."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from sampan.documents.kinds.references import (
    LabelSelector,
    LocalObjectReference,
    ObjectReference,
    ParametersReference,
    SecretReference,
)
from sampan.documents.kinds.scalars import (
    HOSTNAME_PATTERN,
    PROTOCOL_PATTERN,
    ControllerName,
    Group,
    Hostname,
    KindName,
    LabelKey,
    LabelValue,
    ObjectName,
    Port,
    SectionName,
    matches,
)
from sampan.documents.kinds.shape import NO_STRINGS, Frozen, Mistake, Ruled, Shape, Spec, Unsupported, duplicates
from sampan.model.names import GATEWAY_API

Options = Annotated[Mapping[LabelKey, Annotated[str, Field(max_length=4096)]], Field(max_length=16), Frozen]


class GatewayClass(Spec):
    """Which controller runs the Gateways of this class. The class `sampan` exists without a document."""

    controller_name: ControllerName
    """`sampan.dev/gateway-controller` for Sampan; classes of others are left alone."""
    parameters_ref: ParametersReference | None = None
    description: Annotated[str, Field(max_length=64)] = ""


class RouteGroupKind(Shape):
    """A kind of route."""

    group: Group = GATEWAY_API
    kind: KindName


class RouteNamespaces(Ruled):
    """From which namespaces routes may attach."""

    from_: Annotated[Literal["All", "Selector", "Same"], Field(alias="from")] = "Same"
    selector: LabelSelector | None = None
    """Labels of the Namespace; with `from: Selector`."""

    def mistakes(self) -> Iterator[Mistake]:
        yield from _selector_mistakes(self.from_, self.selector)


def _selector_mistakes(from_: str, selector: LabelSelector | None) -> Iterator[Mistake]:
    if from_ == "Selector" and selector is None:
        yield Mistake("'from: Selector' needs a selector", (), "add 'selector:' with matchLabels")


class AllowedRoutes(Shape):
    """Which routes may attach to a listener."""

    namespaces: RouteNamespaces = RouteNamespaces()
    kinds: Annotated[tuple[RouteGroupKind, ...], Field(max_length=8)] = ()
    """Those that go with the listener's protocol if absent."""


class ListenerTLS(Ruled):
    """`Terminate` ends TLS here, with one of the certificates; `Passthrough` hands the connection on as it is."""

    mode: Literal["Terminate", "Passthrough"] = "Terminate"
    certificate_refs: Annotated[tuple[SecretReference, ...], Field(max_length=64)] = ()
    """Secrets with `tls.crt` and `tls.key`. The client's SNI chooses among several."""
    options: Options = NO_STRINGS

    def mistakes(self) -> Iterator[Mistake]:
        if self.mode == "Terminate" and not self.certificate_refs and not self.options:
            yield Mistake(
                "to end TLS a listener needs a certificate", (), "add 'certificateRefs:' with the name of a Secret"
            )


class Listener(Ruled):
    """One port, with a protocol and, for HTTP, HTTPS and TLS, a host name."""

    name: SectionName
    hostname: Hostname = ""
    """`shop.example.com` or `*.example.com`. All hosts if absent."""
    port: Port
    protocol: Annotated[str, Field(pattern=PROTOCOL_PATTERN, min_length=1, max_length=255)]
    """HTTP, HTTPS, TLS or TCP; others are refused in the listener's status."""
    tls: ListenerTLS | None = None
    allowed_routes: AllowedRoutes = AllowedRoutes()

    def mistakes(self) -> Iterator[Mistake]:
        if self.protocol in ("HTTP", "TCP", "UDP") and self.tls is not None:
            yield Mistake(f"'tls' does not go with protocol {self.protocol}", ("tls",), "use protocol HTTPS or TLS")
        if self.protocol == "HTTPS" and self.tls is not None and self.tls.mode != "Terminate":
            yield Mistake(
                "a listener of protocol HTTPS ends TLS itself", ("tls", "mode"), "use protocol TLS for Passthrough"
            )
        if self.protocol == "TLS" and (self.tls is None or "mode" not in self.tls.model_fields_set):
            yield Mistake(
                "a listener of protocol TLS needs 'tls.mode'", (), "write 'mode: Passthrough' or 'mode: Terminate'"
            )
        if self.protocol in ("TCP", "UDP") and self.hostname:
            yield Mistake(f"protocol {self.protocol} knows no host names", ("hostname",), "remove 'hostname'")


class GatewayAddress(Ruled):
    """Where the listeners bind."""

    type: Annotated[str, Field(min_length=1, max_length=253)] = "IPAddress"
    """IPAddress, Hostname, NamedAddress or a name with a domain."""
    value: Annotated[str, Field(max_length=253)] = ""
    """Chosen by Sampan if absent."""

    def mistakes(self) -> Iterator[Mistake]:
        if self.type not in ("IPAddress", "Hostname", "NamedAddress") and not matches(
            r"[a-z0-9.-]+/[A-Za-z0-9/\-._~%!$&'()*+,;=:]+", self.type
        ):
            yield Mistake(f"'{self.type}' is no type of address", ("type",), "use IPAddress, Hostname or NamedAddress")
        if self.type == "IPAddress" and self.value and not is_address(self.value):
            yield Mistake(f"'{self.value}' is not an IP address", ("value",))
        if self.type == "Hostname" and self.value and not matches(HOSTNAME_PATTERN, self.value):
            yield Mistake(f"'{self.value}' is not a host name", ("value",))


def is_address(text: str) -> bool:
    """Whether this is an IPv4 or IPv6 address, without a zone."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


class GatewayInfrastructure(Shape):
    """Labels and annotations for what is made to run the Gateway."""

    labels: Annotated[Mapping[LabelKey, LabelValue], Field(max_length=8), Frozen] = NO_STRINGS
    annotations: Annotated[Mapping[LabelKey, Annotated[str, Field(max_length=4096)]], Field(max_length=16), Frozen] = (
        NO_STRINGS
    )
    parameters_ref: LocalObjectReference | None = None


class FrontendValidation(Shape):
    """Asks clients for a certificate (GEP-91)."""

    ca_certificate_refs: Annotated[tuple[ObjectReference, ...], Field(min_length=1, max_length=16)]
    """ConfigMaps (or Secrets) with the certificates of the authorities under `ca.crt`."""
    mode: Literal["AllowValidOnly", "AllowInsecureFallback"] = "AllowValidOnly"


class FrontendTLSConfig(Shape):
    """How clients are checked."""

    validation: FrontendValidation | None = None


class PortFrontendTLS(Shape):
    """How clients of one port are checked."""

    port: Port
    tls: FrontendTLSConfig


class FrontendTLS(Ruled):
    """How clients of HTTPS listeners are checked, by port."""

    default: FrontendTLSConfig
    per_port: Annotated[tuple[PortFrontendTLS, ...], Field(max_length=64)] = ()

    def mistakes(self) -> Iterator[Mistake]:
        for index, first, entry in duplicates(self.per_port, lambda entry: entry.port):
            yield Mistake(f"port {entry.port} is already in perPort[{first}]", ("perPort", index, "port"))


class BackendClientTLS(Shape):
    """What the Gateway shows of itself to backends that speak TLS (GEP-3155)."""

    client_certificate_ref: SecretReference | None = None


class GatewayTLS(Shape):
    """TLS of the whole Gateway."""

    frontend: FrontendTLS | None = None
    backend: BackendClientTLS | None = None


class ListenerNamespaces(Ruled):
    """From which namespaces ListenerSets may attach."""

    from_: Annotated[Literal["All", "Selector", "Same", "None"], Field(alias="from")] = "None"
    selector: LabelSelector | None = None

    def mistakes(self) -> Iterator[Mistake]:
        yield from _selector_mistakes(self.from_, self.selector)


class AllowedListeners(Shape):
    """Which ListenerSets may attach."""

    namespaces: ListenerNamespaces = ListenerNamespaces()


class Gateway(Spec):
    """Where traffic comes in: listeners, each with a port, a protocol and perhaps a host name."""

    gateway_class_name: ObjectName
    """`sampan`, or a GatewayClass whose controller is `sampan.dev/gateway-controller`."""
    listeners: Annotated[tuple[Listener, ...], Field(min_length=1, max_length=64)]
    addresses: Annotated[tuple[GatewayAddress, ...], Field(max_length=16)] = ()
    """All addresses of the machine if absent."""
    infrastructure: GatewayInfrastructure | None = None
    allowed_listeners: AllowedListeners | None = None
    tls: GatewayTLS | None = None
    default_scope: Literal["All", "None"] | None = None

    def mistakes(self) -> Iterator[Mistake]:
        for index, first, listener in duplicates(self.listeners, lambda listener: listener.name):
            yield Mistake(
                f"the name '{listener.name}' is already taken by listeners[{first}]", ("listeners", index, "name")
            )
        for index, first, _ in duplicates(self.listeners, lambda item: (item.port, item.protocol, item.hostname)):
            yield Mistake(
                f"port, protocol and hostname are those of listeners[{first}]",
                ("listeners", index),
                "give one of them another port or hostname",
            )
        for index, first, address in duplicates(self.addresses, _address_key):
            yield Mistake(f"'{address.value}' is already in addresses[{first}]", ("addresses", index, "value"))

    def unsupported(self) -> Iterator[Unsupported]:
        if self.default_scope == "All":
            yield Unsupported(("defaultScope",), "default gateways are not supported yet; routes name the Gateway")
        if self.allowed_listeners is not None and self.allowed_listeners.namespaces.from_ != "None":
            yield Unsupported(("allowedListeners",), "ListenerSet is not supported yet")


def _address_key(address: GatewayAddress) -> tuple[str, str] | None:
    return (address.type, address.value) if address.value and address.type in ("IPAddress", "Hostname") else None
