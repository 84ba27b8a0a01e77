"""Keys that Envoy does not take are a fault of the certificate, told before Envoy is asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from resolve_pem import secret
from resolve_world import World, gateway

LISTENER = "{name: https, port: 8443, protocol: HTTPS, tls: {certificateRefs: [{name: cert}]}}"
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | dsa.DSAPrivateKey


def documents(key: Key) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "cert")])
    start = datetime(2025, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=36500))
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    )
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    private = key.private_bytes(encoding, form, serialization.NoEncryption()).decode()
    return secret("cert", tls_crt=certificate.public_bytes(encoding).decode(), tls_key=private)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (rsa.generate_private_key(65537, 1024), "1024 bits"),
        (ec.generate_private_key(ec.SECP224R1()), "secp224r1"),
        (ec.generate_private_key(ec.SECP256K1()), "secp256k1"),
        (dsa.generate_private_key(1024), "RSA, ECDSA and Ed25519"),
    ],
    ids=["rsa-1024", "p-224", "k1", "dsa"],
)
def test_a_key_that_envoy_does_not_take(key: Key, words: str) -> None:
    (said,) = World(gateway(LISTENER), documents(key)).said()
    assert said.code.id == "SMP0308"
    assert words in said.reason


@pytest.mark.parametrize(
    "key", [ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()], ids=["p-384", "ed25519"]
)
def test_others_are_fine(key: Key) -> None:
    assert not World(gateway(LISTENER), documents(key)).said()
