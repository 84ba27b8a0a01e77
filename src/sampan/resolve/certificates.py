"""Certificates with their keys, and bundles of authorities: read, checked, and named."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.utils import CryptographyDeprecationWarning

from sampan.documents.kinds.secret import ConfigMap, Secret
from sampan.model.names import CORE, Ref, resource_name
from sampan.model.plan import Certificate, TrustBundle
from sampan.resolve.units import Reader, unit

CERTIFICATE_KEY = "tls.crt"
PRIVATE_KEY_KEY = "tls.key"
AUTHORITIES_KEY = "ca.crt"
TLS_SECRET = "kubernetes.io/tls"
LEAST_RSA_BITS = 2048
# Not all that cryptography raises for what it cannot read is a ValueError; some of it only when it is asked for a part.
_UNREADABLE = (
    ValueError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


@dataclass(frozen=True, slots=True, eq=False)
class CertificateFacts:
    """What a Secret holds. `fault` says, as a sentence, why it cannot be used; then there is no certificate.

    `until` is when it expires, RFC 3339 in UTC; `names` are the DNS names it is good for.
    """

    certificate: Certificate | None = None
    fault: str = ""
    until: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class TrustFacts:
    """What a ConfigMap or Secret says about authorities; `fault` as for certificates."""

    bundle: TrustBundle | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class _Pair:
    chain: bytes
    key: bytes = field(repr=False)


@unit(tier=1)
def certificate_facts(reader: Reader, ref: Ref) -> CertificateFacts:
    """Of a Secret of type `kubernetes.io/tls`. An expired certificate is whole: see `expired`."""
    found = reader.get(ref)
    if found is None or not isinstance(found.spec, Secret):
        return CertificateFacts(fault=f"{ref} does not exist")
    secret = found.spec
    if secret.type not in (TLS_SECRET, "Opaque"):
        return CertificateFacts(fault=f"{ref} is of type '{secret.type}', not {TLS_SECRET}")
    chain, key = secret.value(CERTIFICATE_KEY), secret.value(PRIVATE_KEY_KEY)
    missing = [name for name, value in ((CERTIFICATE_KEY, chain), (PRIVATE_KEY_KEY, key)) if value is None]
    if chain is None or key is None:
        return CertificateFacts(fault=f"{ref} does not hold {' and '.join(missing)}")
    return _checked(ref, _Pair(chain.reveal(), key.reveal()))


def _checked(ref: Ref, pair: _Pair) -> CertificateFacts:
    # Messages name the key of the Secret only: what is in it must not leak into a status or a log.
    try:
        chain = _certificates(pair.chain)
    except _UNREADABLE:
        return CertificateFacts(fault=f"{ref}: {CERTIFICATE_KEY} is not a certificate in PEM")
    try:
        public = _public_bytes(chain[0].public_key())
    except _UNREADABLE:
        return CertificateFacts(fault=f"{ref}: {CERTIFICATE_KEY} is for a key that cannot be read")
    try:
        key = serialization.load_pem_private_key(pair.key, password=None)
    except TypeError:
        return CertificateFacts(fault=f"{ref}: {PRIVATE_KEY_KEY} is protected by a password")
    except _UNREADABLE:
        return CertificateFacts(fault=f"{ref}: {PRIVATE_KEY_KEY} is not a private key in PEM")
    if public != _public_bytes(key.public_key()):
        return CertificateFacts(fault=f"{ref}: the private key does not belong to the certificate")
    if weak := _not_taken(key):
        return CertificateFacts(fault=f"{ref}: {weak}")
    name = resource_name("secret", ref.namespace, ref.name)
    until = chain[0].not_valid_after_utc.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return CertificateFacts(Certificate(name, pair.chain, pair.key), until=until, names=_dns_names(chain[0]))


def _certificates(content: bytes) -> list[x509.Certificate]:
    """Raises what is in `_UNREADABLE`. A serial number of zero, as old tools give, is warned of by cryptography and
    taken by Envoy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return x509.load_pem_x509_certificates(content)


def _not_taken(key: object) -> str:
    """Why Envoy would not take a key of this kind (ServerContextImpl and ContextImpl in its source, BoringSSL), or
    ""."""
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < LEAST_RSA_BITS:
        return f"the RSA key has {key.key_size} bits, and Envoy takes {LEAST_RSA_BITS} or more"
    if isinstance(key, ec.EllipticCurvePrivateKey) and not isinstance(key.curve, CURVES):
        return f"the key is on the curve {key.curve.name}, and Envoy takes P-256, P-384 and P-521"
    if not isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)):
        return "Envoy takes keys of RSA, ECDSA and Ed25519 only"
    return ""


def _public_bytes(key: object) -> bytes:
    return key.public_bytes(  # type: ignore[attr-defined, no-any-return]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _dns_names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return tuple(name.lower() for name in names.get_values_for_type(x509.DNSName))
    except (x509.ExtensionNotFound, *_UNREADABLE):
        return ()


@unit(tier=2)
def expired(reader: Reader, ref: Ref) -> str:
    """When the certificate of a Secret expired, or "" while it is good."""
    until = reader.use(certificate_facts, ref).until
    return until if until and _moment(until) <= _moment(reader.now()) else ""


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@unit(tier=1)
def trust_facts(reader: Reader, ref: Ref) -> TrustFacts:
    """Of a ConfigMap (or Secret) with the certificates of authorities under `ca.crt`."""
    found = reader.get(ref)
    if found is None or not isinstance(found.spec, (ConfigMap, Secret)):
        return TrustFacts(fault=f"{ref} does not exist")
    if isinstance(found.spec, Secret):
        sealed = found.spec.value(AUTHORITIES_KEY)
        bundle = sealed.reveal() if sealed else None
    else:
        bundle = found.spec.value(AUTHORITIES_KEY)
    if not bundle:
        return TrustFacts(fault=f"{ref} does not hold {AUTHORITIES_KEY}")
    try:
        _certificates(bundle)
    except _UNREADABLE:
        return TrustFacts(fault=f"{ref}: {AUTHORITIES_KEY} holds no certificates in PEM")
    return TrustFacts(TrustBundle(resource_name(ref.kind.lower(), ref.namespace, ref.name), bundle))


def is_trust_kind(group: str, kind: str) -> bool:
    return group == CORE and kind in ("ConfigMap", "Secret")
