"""TLS of a listener: its certificates, its clients' certificates, its options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sampan.documents.kinds.gateway import FrontendValidation, Gateway, Listener
from sampan.model import codes, diagnostic
from sampan.model.diagnostic import FieldPath
from sampan.model.meta import Object
from sampan.model.names import Ref
from sampan.model.plan import Certificate, ClientValidation, DownstreamTls, TrustBundle
from sampan.model.status import Condition
from sampan.resolve.certificates import expired
from sampan.resolve.conditions import RESOLVED_REFS, not_accepted, unresolved
from sampan.resolve.references import Followed, authorities_at, certificate_at
from sampan.resolve.units import Reader, unit

MINIMUM_VERSION = "sampan.dev/minimum-tls-version"
MAXIMUM_VERSION = "sampan.dev/maximum-tls-version"
_OWN_OPTIONS = (MINIMUM_VERSION, MAXIMUM_VERSION)

TlsVersion = Literal["", "1.2", "1.3"]

_CERTIFICATE_REASONS = {
    "kind": "InvalidCertificateRef",
    "permission": "RefNotPermitted",
    "content": "InvalidCertificateRef",
}
_AUTHORITY_REASONS = {
    "kind": "InvalidCACertificateKind",
    "permission": "RefNotPermitted",
    "content": "InvalidCACertificateRef",
}


@dataclass(frozen=True, slots=True, eq=False)
class ListenerTls:
    """`tls` None where the listener ends no TLS or cannot. `refusal`: condition Accepted where that is False."""

    tls: DownstreamTls | None = None
    certificates: tuple[Certificate, ...] = ()
    trust: tuple[TrustBundle, ...] = ()
    resolved: Condition = RESOLVED_REFS
    refusal: Condition | None = None
    insecure: bool = False


NO_TLS = ListenerTls()


@unit(tier=4)
def listener_tls(reader: Reader, gateway: Ref, name: str) -> ListenerTls:
    """Of a listener that ends TLS, by its name."""
    found = reader.get(gateway)
    spec: Gateway | None = found.spec if found is not None else None
    listeners = spec.listeners if spec is not None else ()
    index = next((index for index, item in enumerate(listeners) if item.name == name), None)
    if found is None or spec is None or index is None:
        return NO_TLS
    listener = listeners[index]
    at: FieldPath = ("spec", "listeners", index, "tls")
    certificates, fault = _certificates(reader, found, listener, at)
    trust: tuple[TrustBundle, ...] = ()
    client: ClientValidation | None = None
    refusal: Condition | None = None
    validation = _validation(spec, listener)
    if validation is not None:
        trust, trust_fault = _authorities(reader, found, *validation)
        fault = fault or trust_fault
        if not trust:
            refusal = not_accepted("NoValidCACertificate", trust_fault.message if trust_fault else "no authorities")
        client = ClientValidation(tuple(item.name for item in trust), validation[0].mode == "AllowValidOnly")
    tls = None
    if certificates and refusal is None:
        least, most = _versions(reader, found, listener, at)
        names = tuple(item.name for item in certificates)
        tls = DownstreamTls(names, client, least, most, http=listener.protocol == "HTTPS")
    insecure = client is not None and not client.required
    return ListenerTls(tls, certificates, trust, fault or RESOLVED_REFS, refusal, insecure)


def _certificates(
    reader: Reader, gateway: Object, listener: Listener, at: FieldPath
) -> tuple[tuple[Certificate, ...], Condition | None]:
    """Those that can be used, and the condition ResolvedRefs if one cannot."""
    references = listener.tls.certificate_refs if listener.tls is not None else ()
    if not references:
        reason = f"listener '{listener.name}' ends TLS and names no certificate, so it cannot be served"
        hint = "add 'tls:' with 'certificateRefs:' and the name of a Secret"
        path = at if listener.tls is not None else at[:-1]
        reader.emit(diagnostic.of(codes.BAD_CERTIFICATE, gateway, reason, path, hint))
        return (), unresolved("InvalidCertificateRef", "no certificate is named")
    usable: dict[str, Certificate] = {}
    fault: Condition | None = None
    for index, reference in enumerate(references):
        to = Ref(reference.group, reference.kind, reference.namespace or gateway.ref.namespace, reference.name)
        followed = certificate_at(reader, gateway.ref, to)
        field = (*at, "certificateRefs", index)
        if followed.value is None:
            fault = fault or unresolved(_CERTIFICATE_REASONS[followed.fault], followed.reason)
            _report(reader, gateway, field, followed)
            continue
        usable[followed.value.name] = followed.value
        since = reader.use(expired, to)
        if since:
            # Still served: clients that refuse it say why, which a closed port does not.
            reason = f"the certificate in {to} expired at {since}"
            reader.emit(diagnostic.of(codes.EXPIRED_CERTIFICATE, gateway, reason, (*field, "name"), "renew it"))
    return tuple(usable.values()), fault


def _validation(spec: Gateway, listener: Listener) -> tuple[FrontendValidation, FieldPath] | None:
    """How clients are checked, and where that is written. Of the port if it has its own, else the default (GEP-91)."""
    if spec.tls is None or spec.tls.frontend is None or listener.protocol != "HTTPS":
        return None
    frontend = spec.tls.frontend
    at: FieldPath = ("spec", "tls", "frontend")
    for index, entry in enumerate(frontend.per_port):
        if entry.port == listener.port:
            if entry.tls.validation is None:
                return None
            return entry.tls.validation, (*at, "perPort", index, "tls", "validation")
    if frontend.default.validation is None:
        return None
    return frontend.default.validation, (*at, "default", "validation")


def _authorities(
    reader: Reader, gateway: Object, validation: FrontendValidation, at: FieldPath
) -> tuple[tuple[TrustBundle, ...], Condition | None]:
    usable: dict[str, TrustBundle] = {}
    fault: Condition | None = None
    for index, reference in enumerate(validation.ca_certificate_refs):
        to = Ref(reference.group, reference.kind, reference.namespace or gateway.ref.namespace, reference.name)
        followed = authorities_at(reader, gateway.ref, to)
        if followed.value is None:
            fault = fault or unresolved(_AUTHORITY_REASONS[followed.fault], followed.reason)
            _report(reader, gateway, (*at, "caCertificateRefs", index), followed)
        else:
            usable[followed.value.name] = followed.value
    return tuple(usable.values()), fault


def _report(
    reader: Reader, owner: Object, field: FieldPath, followed: Followed[Certificate] | Followed[TrustBundle]
) -> None:
    last = "kind" if followed.fault == "kind" else "name"
    reader.emit(diagnostic.of(followed.code, owner, followed.reason, (*field, last), followed.hint))


def _versions(reader: Reader, gateway: Object, listener: Listener, at: FieldPath) -> tuple[TlsVersion, TlsVersion]:
    """The least and the greatest version of TLS, from the listener's options."""
    options = listener.tls.options if listener.tls is not None else {}
    for key in options:
        if key.startswith("sampan.dev/") and key not in _OWN_OPTIONS:
            reason = f"there is no option '{key}'"
            hint = f"there are {' and '.join(_OWN_OPTIONS)}"
            reader.emit(diagnostic.of(codes.BAD_TLS_OPTION, gateway, reason, (*at, "options", key), hint))
    return (
        _version(reader, gateway, at, MINIMUM_VERSION, options.get(MINIMUM_VERSION, "")),
        _version(reader, gateway, at, MAXIMUM_VERSION, options.get(MAXIMUM_VERSION, "")),
    )


def _version(reader: Reader, gateway: Object, at: FieldPath, key: str, value: str) -> TlsVersion:
    versions: Sequence[TlsVersion] = ("", "1.2", "1.3")
    for version in versions:
        if value == version:
            return version
    reason = f"'{value}' is not a version of TLS that is served"
    reader.emit(diagnostic.of(codes.BAD_TLS_OPTION, gateway, reason, (*at, "options", key), "write '1.2' or '1.3'"))
    return ""
