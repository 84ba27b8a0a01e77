"""Following a reference to a certificate or to authorities: kind, permission, existence, content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from sampan.model.codes import (
    BAD_AUTHORITIES,
    BAD_CERTIFICATE,
    MISSING_REFERENCE,
    NOT_PERMITTED,
    UNSUPPORTED_REFERENCE,
    Code,
)
from sampan.model.names import CORE, Ref
from sampan.model.plan import Certificate, TrustBundle
from sampan.resolve.certificates import (
    AUTHORITIES_KEY,
    CERTIFICATE_KEY,
    PRIVATE_KEY_KEY,
    certificate_facts,
    is_trust_kind,
    trust_facts,
)
from sampan.resolve.grants import may_refer
from sampan.resolve.hints import other_names
from sampan.resolve.units import Reader

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Followed(Generic[T]):
    """Where a reference leads, or why it leads nowhere: `kind` of fault, the sentence, a hint."""

    value: T | None = None
    fault: str = ""
    reason: str = ""
    hint: str = ""
    code: Code = MISSING_REFERENCE


def certificate_at(reader: Reader, owner: Ref, to: Ref) -> Followed[Certificate]:
    """Faults: `kind`, `permission`, `content`."""
    if (to.group, to.kind) != (CORE, "Secret"):
        return _wrong_kind(to, "use a Secret of type kubernetes.io/tls")
    if not may_refer(reader, owner, to):
        return _forbidden(owner, to)
    facts = reader.use(certificate_facts, to)
    if facts.certificate is not None:
        return Followed(facts.certificate)
    if reader.get(to) is None:
        return Followed(fault="content", reason=facts.fault, hint=reader.use(other_names, to))
    hint = f"'{CERTIFICATE_KEY}' holds the certificate and its chain, '{PRIVATE_KEY_KEY}' its own key, no password"
    return Followed(fault="content", reason=facts.fault, hint=hint, code=BAD_CERTIFICATE)


def authorities_at(reader: Reader, owner: Ref, to: Ref) -> Followed[TrustBundle]:
    """Faults: `kind`, `permission`, `content`."""
    if not is_trust_kind(to.group, to.kind):
        return _wrong_kind(to, "use a ConfigMap with the certificates under 'ca.crt'")
    if not may_refer(reader, owner, to):
        return _forbidden(owner, to)
    facts = reader.use(trust_facts, to)
    if facts.bundle is not None:
        return Followed(facts.bundle)
    if reader.get(to) is None:
        return Followed(fault="content", reason=facts.fault, hint=reader.use(other_names, to))
    hint = f"put the authorities' certificates in PEM under '{AUTHORITIES_KEY}'"
    return Followed(fault="content", reason=facts.fault, hint=hint, code=BAD_AUTHORITIES)


def _wrong_kind(to: Ref, hint: str) -> Followed[T]:
    kind = f"{to.group}/{to.kind}" if to.group else to.kind
    return Followed(fault="kind", reason=f"{kind} is not supported here", hint=hint, code=UNSUPPORTED_REFERENCE)


def forbidden(owner: Ref, to: Ref) -> str:
    return f"no ReferenceGrant in namespace '{to.namespace}' lets {owner.kind}s of '{owner.namespace}' refer to {to}"


def _forbidden(owner: Ref, to: Ref) -> Followed[T]:
    return Followed(
        fault="permission",
        reason=forbidden(owner, to),
        hint=f"add a ReferenceGrant to namespace '{to.namespace}'",
        code=NOT_PERMITTED,
    )
