"""Backend: an upstream by address, DNS name or Unix socket, without anything that registers it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from sampan.documents.kinds.backend_tls import BackendTLSValidation
from sampan.documents.kinds.gateway import is_address
from sampan.documents.kinds.references import SecretReference
from sampan.documents.kinds.scalars import Port, PreciseHostname, Weight
from sampan.documents.kinds.shape import Mistake, Ruled, Shape, Spec, duplicates

# sockaddr_un.sun_path holds 108 bytes with the closing NUL on Linux, 104 on macOS; the smaller works on both.
_LONGEST_SOCKET = 103


class BackendPort(Shape):
    """A port, with the name by which a Service's `targetPort` may choose it."""

    name: Annotated[str, Field(max_length=63)] = ""
    port: Port


class ExternalHostname(Ruled):
    """A DNS name outside."""

    hostname: PreciseHostname

    def mistakes(self) -> Iterator[Mistake]:
        if self.hostname.endswith(".cluster.local"):
            yield Mistake("names under cluster.local belong to Services", ("hostname",), "refer to the Service itself")


class BackendEndpoint(Ruled):
    """One instance: an IP address, a DNS name or a Unix socket."""

    address: str = ""
    """IPv4 or IPv6."""
    hostname: PreciseHostname = ""
    unix: str = ""
    """Absolute path of a Unix socket."""
    port: Port | None = None
    """The Backend's own `port` if absent."""
    weight: Weight = 1
    """Share among the endpoints. 0 sends nothing."""
    zone: Annotated[str, Field(max_length=63)] = ""

    def mistakes(self) -> Iterator[Mistake]:
        given = [name for name in ("address", "hostname", "unix") if getattr(self, name)]
        if len(given) != 1:
            found = "none of them is given" if not given else f"{' and '.join(given)} are given"
            yield Mistake(f"an endpoint is an address, a hostname or a unix socket: {found}", (*given[1:2],))
        if self.address and not is_address(self.address):
            yield Mistake(f"'{self.address}' is not an IP address", ("address",), "use 'hostname:' for a DNS name")
        if self.unix:
            yield from socket_mistakes(self.unix)
            if self.port is not None:
                yield Mistake("a Unix socket has no port", ("port",), "remove 'port'")


def socket_mistakes(path: str) -> Iterator[Mistake]:
    """Also of the sockets of registered instances."""
    if not path.startswith("/"):
        yield Mistake("the path of a Unix socket starts with '/'", ("unix",))
    if ".." in path.split("/"):
        yield Mistake("the path of a Unix socket may not hold '..'", ("unix",))
    if not path.isprintable():
        yield Mistake("the path of a Unix socket may not hold control characters", ("unix",))
    if len(path.encode()) > _LONGEST_SOCKET:
        yield Mistake(f"the path of a Unix socket may have {_LONGEST_SOCKET} bytes at most", ("unix",))


class BackendTLS(Ruled):
    """TLS to the backend: `ServerOnly` checks its certificate, `ClientAndServer` also shows one."""

    mode: Literal["None", "ServerOnly", "ClientAndServer"]
    validation: BackendTLSValidation | None = None
    client_certificate_ref: SecretReference | None = None

    def mistakes(self) -> Iterator[Mistake]:
        if (self.mode == "ClientAndServer") != (self.client_certificate_ref is not None):
            yield Mistake(
                "clientCertificateRef goes with mode ClientAndServer, and that mode with it",
                ("clientCertificateRef",) if self.client_certificate_ref else ("mode",),
            )
        if self.mode != "None" and self.validation is None:
            yield Mistake(
                f"mode {self.mode} needs 'validation'",
                (),
                "add 'validation:' with a 'hostname' and 'caCertificateRefs' or 'wellKnownCACertificates: System'",
            )


class Backend(Spec):
    """An upstream by IP address, DNS name or Unix socket.

    `type`, `port`, `externalHostname`, `protocol` and `tls` are as in the Gateway API's Backend (GEP-4894);
    `endpoints` is what a machine without Kubernetes needs. A route refers to it by `group: sampan.dev, kind: Backend`,
    or a Service takes it in when its `selector` matches the labels in this document's metadata: several Backends with
    labels `version: v1` and `version: v2` make versions of one Service. Each endpoint is reached at its own port; a
    Service's `targetPort` by name takes only Backends whose `port.name` is that name.
    """

    type: Literal["Endpoints", "ExternalHostname"] = "Endpoints"
    port: BackendPort | None = None
    """For all endpoints that have no port of their own."""
    endpoints: Annotated[tuple[BackendEndpoint, ...], Field(max_length=1000)] = ()
    external_hostname: ExternalHostname | None = None
    protocol: Literal["TCP", "HTTP", "HTTP11", "HTTP2", "H2C"] | None = None
    """What is spoken: `HTTP` is HTTP/1.1, `H2C` is HTTP/2 without TLS, `HTTP2` is HTTP/2 with TLS or without."""
    tls: BackendTLS | None = None

    def mistakes(self) -> Iterator[Mistake]:
        if self.type == "ExternalHostname":
            if self.external_hostname is None:
                yield Mistake(
                    "type ExternalHostname needs 'externalHostname'", (), "add 'externalHostname: {hostname: …}'"
                )
            if self.port is None:
                yield Mistake("type ExternalHostname needs 'port'", (), "add 'port: {port: 443}'")
            if self.endpoints:
                yield Mistake("'endpoints' do not go with type ExternalHostname", ("endpoints",))
            return
        if self.external_hostname is not None:
            yield Mistake(
                "'externalHostname' goes with type ExternalHostname",
                ("externalHostname",),
                "add 'type: ExternalHostname'",
            )
        elif not self.endpoints:
            yield Mistake(
                "a Backend needs at least one endpoint", (), "add 'endpoints: [{address: 127.0.0.1, port: 8080}]'"
            )
        for index, endpoint in enumerate(self.endpoints):
            if not endpoint.unix and endpoint.port is None and self.port is None:
                yield Mistake("the port is missing", ("endpoints", index), "add 'port:' here or to the Backend")
        for index, first, _ in duplicates(
            self.instances(), lambda item: (item.address, item.hostname, item.unix, item.port)
        ):
            yield Mistake(f"this endpoint is already endpoints[{first}]", ("endpoints", index))

    def instances(self) -> tuple[BackendEndpoint, ...]:
        """All endpoints with their ports filled in; an external host name is one endpoint."""
        if self.external_hostname is not None:
            port = self.port.port if self.port else None
            return (BackendEndpoint.model_construct(hostname=self.external_hostname.hostname, port=port),)
        if self.port is None:
            return self.endpoints
        port = self.port.port
        return tuple(
            item if item.unix or item.port is not None else item.model_copy(update={"port": port})
            for item in self.endpoints
        )
