"""A certificate authority of the tests: PEM files for a server and a client."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PEM = serialization.Encoding.PEM


@dataclass(frozen=True, slots=True)
class Pair:
    certificate: str
    key: str


class Authority:
    """Its own certificate is in `file`."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder, self._name = folder, x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.file = str(folder / f"{name}.pem")
        basic = x509.BasicConstraints(ca=True, path_length=None)
        certificate = self._builder(self._name, self._key).add_extension(basic, critical=True)
        identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        certificate = certificate.add_extension(identifier, critical=False)
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        signed = certificate.add_extension(usage, critical=True).sign(self._key, hashes.SHA256())
        Path(self.file).write_bytes(signed.public_bytes(PEM))

    def issue(self, name: str) -> Pair:
        """For the DNS name `name`, and for no address."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        builder = self._builder(subject, key)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        signed = builder.add_extension(issuer, critical=False).sign(self._key, hashes.SHA256())
        pair = Pair(str(self._folder / f"{name}.pem"), str(self._folder / f"{name}.key"))
        Path(pair.certificate).write_bytes(signed.public_bytes(PEM))
        form = serialization.PrivateFormat.PKCS8
        Path(pair.key).write_bytes(key.private_bytes(PEM, form, serialization.NoEncryption()))
        return pair

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        start = datetime(2025, 1, 1, tzinfo=UTC)
        return x509.CertificateBuilder(
            self._name, subject, key.public_key(), x509.random_serial_number(), start, start + timedelta(days=36500)
        )
