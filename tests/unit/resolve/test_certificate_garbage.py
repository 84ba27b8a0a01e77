"""A certificate or key whose bytes make no sense is a fault of its Secret, whatever the library raises for it."""

from __future__ import annotations

import base64
import random
import textwrap
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from resolve_pem import secret
from resolve_world import World, gateway

LISTENER = "{name: https, port: 8443, protocol: HTTPS, tls: {certificateRefs: [{name: cert}]}}"
EC_KEY = bytes.fromhex("06072a8648ce3d0201")  # the object identifier of a key on a curve (RFC 5480)
NAMES = bytes.fromhex("0603551d11")  # of subjectAltName
USAGE = bytes.fromhex("0603551d0f")  # of keyUsage
VERSION = bytes.fromhex("a003020102")  # version 3 (RFC 5280, 4.1)


def pair() -> tuple[bytes, bytes]:
    """A certificate and its key, in DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cert")])
    start = datetime(2025, 1, 1, tzinfo=UTC)
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign"), False
    )
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("a.example")]), False)
        .add_extension(
            x509.KeyUsage(digital_signature=True, crl_sign=False, encipher_only=False, decipher_only=False, **usage),
            False,
        )
        .sign(key, hashes.SHA256())
    )
    der, form = serialization.Encoding.DER, serialization.PrivateFormat.PKCS8
    return certificate.public_bytes(der), key.private_bytes(der, form, serialization.NoEncryption())


def pem(label: str, der: bytes) -> str:
    body = "\n".join(textwrap.wrap(base64.b64encode(der).decode(), 64))
    return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"


def said(certificate: bytes, key: bytes) -> list[str]:
    documents = secret("cert", tls_crt=pem("CERTIFICATE", certificate), tls_key=pem("PRIVATE KEY", key))
    return [item.reason for item in World(gateway(LISTENER), documents).said()]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (EC_KEY, bytes.fromhex("06072a8648ce3d027f"), "a key that cannot be read"),
        (VERSION, bytes.fromhex("a003020167"), "not a certificate"),
    ],
    ids=["unknown kind of key", "unknown version"],
)
def test_what_the_library_cannot_read(old: bytes, new: bytes, words: str) -> None:
    certificate, key = pair()
    assert certificate.count(old) == 1
    (reason,) = said(certificate.replace(old, new), key)
    assert words in reason


def test_an_extension_written_twice_is_left_to_envoy() -> None:
    certificate, key = pair()
    assert said(certificate.replace(USAGE, NAMES), key) == []


def test_nothing_raises() -> None:
    certificate, key = pair()
    chance = random.Random(5)
    reasons: set[str] = set()
    for _ in range(400):
        damaged = bytearray(certificate)
        for _ in range(chance.choice((1, 1, 2, 4))):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        reasons.update(said(bytes(damaged), key))
    assert {reason.partition(": ")[2] for reason in reasons} >= {
        "tls.crt is not a certificate in PEM",
        "tls.crt is for a key that cannot be read",
    }
