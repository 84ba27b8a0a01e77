"""Backend references: what they lead to, what is spoken there, and the upstream that comes of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from sampan.documents.kinds.backend import Backend
from sampan.documents.kinds.gateway import Gateway
from sampan.documents.kinds.service import Service
from sampan.model import codes, diagnostic
from sampan.model.codes import Code
from sampan.model.names import CORE, REGISTERED_PORT, SAMPAN, SERVICE_LABEL, Ref, resource_name
from sampan.model.plan import Certificate, Endpoint, TrustBundle, Upstream
from sampan.resolve.backend_tls import TlsFacts, policy_for, policy_tls, validated
from sampan.resolve.endpoints import endpoints_of, group_name, has_names, service_port
from sampan.resolve.hints import did_you_mean, other_names
from sampan.resolve.policies import affect, upstream_policies
from sampan.resolve.references import certificate_at
from sampan.resolve.targets import NONE_ATTACHED, Attached, attached
from sampan.resolve.units import Reader, unit

Wish = Literal["http", "grpc", "tcp", "passthrough"]
"""What the route wants to speak. `passthrough`: TLS that the client began and the backend ends."""

Speaks = Literal["", "http1", "http2", "tcp"]

# appProtocol, by IANA's names and Kubernetes' (KEP-3726). What is not here says nothing to us (GEP-1911).
_SPEAKS: dict[str, Speaks] = {
    "http": "http1",
    "http/1.1": "http1",
    "https": "http1",
    "ws": "http1",
    "wss": "http1",
    "kubernetes.io/ws": "http1",
    "kubernetes.io/wss": "http1",
    "h2": "http2",
    "h2c": "http2",
    "http2": "http2",
    "kubernetes.io/h2c": "http2",
    "grpc": "http2",
    "tcp": "tcp",
    "tls": "tcp",
    "mongo": "tcp",
    "mysql": "tcp",
    "postgresql": "tcp",
    "redis": "tcp",
}
_NEEDS_TLS = frozenset({"https", "wss", "kubernetes.io/wss"})
_BACKEND_SPEAKS: dict[str | None, Speaks] = {
    None: "",
    "TCP": "tcp",
    "HTTP": "http1",
    "HTTP11": "http1",
    "HTTP2": "http2",
    "H2C": "http2",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a reference cannot be used: the reason for ResolvedRefs, a sentence, and where and how it is reported."""

    reason: str
    message: str
    field: str = "name"
    hint: str = ""
    code: Code | None = codes.MISSING_REFERENCE


@dataclass(frozen=True, slots=True, eq=False)
class BackendFacts:
    """A Service's port, or a Backend, as it is, whoever asks, with the policies attached to it. `names` are the
    endpoints if they must be looked up; `section` is the port's name."""

    fault: Fault | None = None
    speaks: Speaks = ""
    needs_tls: bool = False
    section: str = ""
    names: tuple[Endpoint, ...] = ()
    tls: TlsFacts | None = None
    attached: Attached = NONE_ATTACHED


NOBODY = Ref("", "", "", "")
"""In the place of a Gateway where a reference is only looked at: for a route that no Gateway of ours takes."""


class UpstreamKey(NamedTuple):
    """One upstream of a Gateway. `variant`: "" as the backend itself says, "http2", "tcp" or "passthrough"."""

    gateway: Ref
    owner: Ref
    port: int
    variant: str = ""

    @property
    def name(self) -> str:
        """`service/default/reviews/8080`, `service/default/reviews/8080/http2`."""
        kind = "service" if self.owner.kind == "Service" else "backend"
        slots: list[str | int] = [kind, self.owner.namespace, self.owner.name]
        if self.port:
            slots.append(self.port)
        return resource_name(*slots, *([self.variant] if self.variant else []))


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """What a backend reference comes to for one Gateway and one wish: an upstream, or a fault."""

    upstream: UpstreamKey | None = None
    name: str = ""
    fault: Fault | None = None
    attached: Attached = NONE_ATTACHED
    section: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class UpstreamFacts:
    """An upstream with what it refers to."""

    upstream: Upstream
    trust: tuple[TrustBundle, ...] = ()
    certificate: Certificate | None = None


@unit(tier=4)
def backend_facts(reader: Reader, owner: Ref, port: int) -> BackendFacts:
    """Of `Service` with that port, or `Backend` (port 0)."""
    found = reader.get(owner)
    if found is None:
        hint = reader.use(other_names, owner)
        # What is registered has this port, so somebody may yet register it; the offline check leaves that open.
        code = codes.NOT_REGISTERED if port == REGISTERED_PORT else codes.MISSING_REFERENCE
        return BackendFacts(Fault("BackendNotFound", f"{owner} does not exist", "name", hint, code))
    if isinstance(found.spec, Backend):
        return _of_backend(reader, owner)
    return _of_service(reader, owner, found.spec, port)


def _of_service(reader: Reader, owner: Ref, service: Service, number: int) -> BackendFacts:
    if service.type == "ExternalName":
        # A name in a Service can be pointed at anything (CVE-2021-25740), so the Gateway API advises against it.
        reason = f"{owner} is of type ExternalName, which is not followed"
        hint = "use a Backend with 'type: ExternalHostname'"
        return BackendFacts(Fault("InvalidKind", reason, "name", hint, codes.UNSUPPORTED_REFERENCE))
    port = service_port(service, number)
    if port is None:
        return BackendFacts(Fault("BackendNotFound", f"{owner} has no port {number}", "port", _ports_hint(service)))
    if port.protocol != "TCP":
        reason = f"port {number} of {owner} is {port.protocol}"
        return BackendFacts(
            Fault("UnsupportedProtocol", reason, "port", "name a TCP port", codes.UNSUPPORTED_BACKEND_PROTOCOL)
        )
    names = endpoints_of(reader, owner, number) if has_names(reader, owner) else ()
    wanted = port.app_protocol.lower()
    return BackendFacts(
        None, _SPEAKS.get(wanted, ""), wanted in _NEEDS_TLS, port.name, names, None, attached(reader, owner)
    )


def _ports_hint(service: Service) -> str:
    numbers = [item.port for item in service.ports]
    if SERVICE_LABEL in service.selector and numbers == [REGISTERED_PORT]:
        return (
            f"write {REGISTERED_PORT}: a registered service has that port here, and each instance is reached at its own"
        )
    return f"its ports: {', '.join(map(str, numbers)) or 'none'}"


def _of_backend(reader: Reader, owner: Ref) -> BackendFacts:
    found = reader.get(owner)
    assert found is not None
    spec: Backend = found.spec
    names = endpoints_of(reader, owner, 0) if has_names(reader, owner) else ()
    tls = None
    if spec.tls is not None and spec.tls.mode != "None" and spec.tls.validation is not None:
        tls = validated(reader, found, spec.tls.validation, ("spec", "tls", "validation"))
        reference = spec.tls.client_certificate_ref
        if reference is not None and tls.tls is not None:
            to = Ref(reference.group, reference.kind, reference.namespace or owner.namespace, reference.name)
            followed = certificate_at(reader, owner, to)
            if followed.value is None:
                field = ("spec", "tls", "clientCertificateRef", "kind" if followed.fault == "kind" else "name")
                reader.emit(diagnostic.of(followed.code, found, followed.reason, field, followed.hint))
                tls = TlsFacts(None)
            else:
                tls = replace(tls, certificate=followed.value)
    section = spec.port.name if spec.port else ""
    return BackendFacts(None, _BACKEND_SPEAKS[spec.protocol], False, section, names, tls, attached(reader, owner))


def backend_tls(reader: Reader, facts: BackendFacts) -> TlsFacts | None:
    """TLS towards a backend, None for plain text. A Backend's own word goes before a policy."""
    if facts.tls is not None:
        return facts.tls
    policy = policy_for(facts.attached, facts.section)
    return None if policy is None else reader.use(policy_tls, policy)


@unit(tier=6)
def choice(reader: Reader, gateway: Ref, owner: Ref, port: int, wish: Wish) -> Choice:
    """Whether the backend can be used as wished, and which upstream that is."""
    facts = reader.use(backend_facts, owner, port)
    if gateway != NOBODY:
        affect(reader, facts.attached, gateway)
    if facts.fault is not None:
        return Choice(fault=facts.fault)
    if facts.speaks == "tcp" and wish in ("http", "grpc"):
        return Choice(fault=_speaks_otherwise(owner, port, "speaks no HTTP"))
    if facts.speaks == "http1" and wish == "grpc" and not facts.needs_tls:
        return Choice(fault=_speaks_otherwise(owner, port, "speaks HTTP/1.1, and gRPC needs HTTP/2"))
    if wish != "passthrough":
        tls = backend_tls(reader, facts)
        if tls is not None and tls.tls is None:
            return Choice(fault=Fault("InvalidBackendTLS", f"TLS to {owner} cannot be had as asked", code=None))
        if tls is None and facts.needs_tls:
            fault = _speaks_otherwise(owner, port, "speaks TLS, and no BackendTLSPolicy says how to check it")
            return Choice(fault=fault)
    key = UpstreamKey(gateway, owner, port, _variant(facts, wish))
    return Choice(key, key.name, None, facts.attached, facts.section)


def _variant(facts: BackendFacts, wish: Wish) -> str:
    natural = facts.speaks or "http1"
    match wish:
        case "http":
            return ""
        case "grpc":
            return "" if natural == "http2" else "http2"
        case "tcp":
            return "" if natural == "tcp" else "tcp"
        case "passthrough":
            return "passthrough"


def _speaks_otherwise(owner: Ref, port: int, words: str) -> Fault:
    place = f"port {port} of {owner}" if port else str(owner)
    return Fault(
        "UnsupportedProtocol",
        f"{place} {words}",
        "port" if port else "name",
        "see its appProtocol" if port else "see its protocol",
        codes.UNSUPPORTED_BACKEND_PROTOCOL,
    )


@unit(tier=7)
def upstream(reader: Reader, key: UpstreamKey) -> UpstreamFacts:
    """The upstream of a Gateway, with the policies that it sees. Asked for good choices only."""
    facts = reader.use(backend_facts, key.owner, key.port)
    tls_facts = None if key.variant == "passthrough" else backend_tls(reader, facts)
    tls = tls_facts.tls if tls_facts is not None else None
    certificate = None
    if tls is not None and tls_facts is not None:
        certificate = tls_facts.certificate or reader.use(client_certificate, key.gateway)
        if certificate is not None:
            tls = replace(tls, certificate=certificate.name)
    natural: Speaks = facts.speaks or "http1"
    protocol = {"": natural, "http2": "http2", "tcp": "tcp", "passthrough": "tcp"}[key.variant]
    made = Upstream(
        key.name,
        key.owner,
        key.port,
        group_name(key.owner, key.port),
        "dns" if facts.names else "endpoints",
        protocol or "http1",
        tls,
        facts.names,
        upstream_policies(reader, key.gateway, facts.attached, facts.section),
    )
    return UpstreamFacts(made, tls_facts.trust if tls_facts is not None else (), certificate)


@unit(tier=5)
def client_certificate(reader: Reader, gateway: Ref) -> Certificate | None:
    """What the Gateway shows of itself to backends that speak TLS (GEP-3155). The Gateway reports its faults."""
    found = reader.get(gateway)
    spec: Gateway | None = found.spec if found is not None else None
    if spec is None or spec.tls is None or spec.tls.backend is None or spec.tls.backend.client_certificate_ref is None:
        return None
    reference = spec.tls.backend.client_certificate_ref
    to = Ref(reference.group, reference.kind, reference.namespace or gateway.namespace, reference.name)
    return certificate_at(reader, gateway, to).value


BACKEND_KINDS = {(CORE, "Service"), (SAMPAN, "Backend")}


def unknown_kind(group: str, kind: str) -> Fault:
    """A reference to something that is no backend."""
    name = f"{group}/{kind}" if group else kind
    hint = did_you_mean(kind, ("Service", "Backend")) or "use a Service, or a Backend of group sampan.dev"
    if kind == "Backend":
        hint = "a Backend is of group 'sampan.dev'"
    return Fault("InvalidKind", f"{name} is not a kind of backend", "kind", hint, codes.UNSUPPORTED_REFERENCE)
