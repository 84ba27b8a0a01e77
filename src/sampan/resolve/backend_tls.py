"""TLS towards backends: BackendTLSPolicy (GEP-1897) and a Backend's own `tls`.

What cannot be met fails closed: the backend then counts as invalid, and no request goes to it in plain text.
"""

from __future__ import annotations

from dataclasses import dataclass

from sampan.documents.kinds.backend_tls import BackendTLSPolicy, BackendTLSValidation
from sampan.model import codes, diagnostic
from sampan.model.diagnostic import FieldPath
from sampan.model.meta import Object
from sampan.model.names import GATEWAY_API, Ref
from sampan.model.plan import Certificate, TrustBundle, UpstreamTls
from sampan.model.status import Condition
from sampan.resolve.conditions import ACCEPTED, RESOLVED_REFS, not_accepted, unresolved
from sampan.resolve.references import authorities_at
from sampan.resolve.targets import Attached
from sampan.resolve.units import Reader, unit

KIND = "BackendTLSPolicy"
SYSTEM = "System"

_REASONS = {"kind": "InvalidKind", "permission": "InvalidCACertificateRef", "content": "InvalidCACertificateRef"}


@dataclass(frozen=True, slots=True, eq=False)
class TlsFacts:
    """How to speak TLS to a backend. `tls` None: as asked it cannot be done. `certificate` is the client's own, if the
    Backend names one."""

    tls: UpstreamTls | None
    trust: tuple[TrustBundle, ...] = ()
    accepted: Condition = ACCEPTED
    resolved: Condition = RESOLVED_REFS
    certificate: Certificate | None = None


@unit(tier=3)
def policy_tls(reader: Reader, ref: Ref) -> TlsFacts:
    """Of a BackendTLSPolicy."""
    found = reader.get(ref)
    if found is None:
        return TlsFacts(None)
    spec: BackendTLSPolicy = found.spec
    return validated(reader, found, spec.validation, ("spec", "validation"))


def validated(reader: Reader, owner: Object, validation: BackendTLSValidation, at: FieldPath) -> TlsFacts:
    """What a `validation` asks for, mistakes reported on `owner`."""
    if validation.well_known_ca_certificates not in ("", SYSTEM):
        reason = f"there are no well-known authorities '{validation.well_known_ca_certificates}'"
        field = (*at, "wellKnownCACertificates")
        reader.emit(diagnostic.of(codes.BAD_AUTHORITIES, owner, reason, field, f"write '{SYSTEM}'"))
        return TlsFacts(None, accepted=not_accepted("Invalid", reason))
    trust: dict[str, TrustBundle] = {}
    fault: Condition | None = None
    for index, reference in enumerate(validation.ca_certificate_refs):
        to = Ref(reference.group, reference.kind, owner.ref.namespace, reference.name)
        followed = authorities_at(reader, owner.ref, to)
        if followed.value is not None:
            trust[followed.value.name] = followed.value
            continue
        fault = fault or unresolved(_REASONS[followed.fault], followed.reason)
        last = "kind" if followed.fault == "kind" else "name"
        field = (*at, "caCertificateRefs", index, last)
        reader.emit(diagnostic.of(followed.code, owner, followed.reason, field, followed.hint))
    if fault is not None and not trust:
        return TlsFacts(None, accepted=not_accepted("NoValidCACertificate", fault.message), resolved=fault)
    names = tuple(
        ("dns" if name.type == "Hostname" else "uri", name.hostname or name.uri)
        for name in validation.subject_alt_names
    )
    tls = UpstreamTls(validation.hostname, tuple(trust), names)  # type: ignore[arg-type]
    return TlsFacts(tls, tuple(trust.values()), resolved=fault or RESOLVED_REFS)


def policy_for(attached: Attached, section: str) -> Ref | None:
    """The BackendTLSPolicy in force for a Service's port (or a Backend): one for the port by its name goes first."""
    named = attached.winners.get((KIND, section)) if section else None
    return named or attached.winners.get((KIND, ""))


def is_tls_policy(ref: Ref) -> bool:
    return ref.kind == KIND and ref.group == GATEWAY_API
