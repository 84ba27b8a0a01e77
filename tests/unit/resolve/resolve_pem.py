"""Certificates for tests, made once."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@lru_cache
def pair(name: str, expired: bool = False) -> tuple[str, str]:
    """(certificate, key) in PEM. Good from 2025 to 2027, or until 2025-06-01."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime(2025, 1, 1, tzinfo=UTC)
    end = datetime(2025, 6, 1, tzinfo=UTC) if expired else start + timedelta(days=730)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def secret(name: str, host: str = "", namespace: str = "default", expired: bool = False, **fields: str) -> str:
    certificate, key = pair(host or name, expired)
    data = {"tls.crt": certificate, "tls.key": key} | {key.replace("_", "."): value for key, value in fields.items()}
    lines = "".join(f"  {key}: |\n{textwrap.indent(value, '    ')}" for key, value in data.items() if value)
    return f"""
apiVersion: v1
kind: Secret
metadata: {{name: {name}, namespace: {namespace}}}
type: kubernetes.io/tls
stringData:
{lines}"""


def authorities(name: str, content: str | None = None, namespace: str = "default") -> str:
    pem = pair(name)[0] if content is None else content
    return f"""
apiVersion: v1
kind: ConfigMap
metadata: {{name: {name}, namespace: {namespace}}}
data:
  ca.crt: |
{textwrap.indent(pem, "    ")}"""
