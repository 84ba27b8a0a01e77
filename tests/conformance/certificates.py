"""Certificates made for the run: an authority, leaves, and the documents and contexts that hold them."""

from __future__ import annotations

import base64
import datetime
import ssl
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .world import Document

_DAY = datetime.timedelta(days=1)


class Authority:
    """`pem` is its certificate."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._certificate = self._signed(self._name, self._key, None, authority=True)
        self.pem = _pem(self._certificate)

    def leaf(self, *names: str, uris: tuple[str, ...] = (), common_name: str = "leaf") -> tuple[str, str]:
        """Certificate and key, PEM, for DNS names and URIs; both for servers and clients."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        general: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
        general += [x509.UniformResourceIdentifier(uri) for uri in uris]
        alternatives = x509.SubjectAlternativeName(general) if general else None
        return _pem(self._signed(subject, key, alternatives)), _key_pem(key)

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        alternatives: x509.SubjectAlternativeName | None,
        authority: bool = False,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + _DAY)
            .add_extension(x509.BasicConstraints(authority, None), critical=True)
        )
        if alternatives is not None:
            builder = builder.add_extension(alternatives, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


@cache
def authority(name: str = "conformance") -> Authority:
    """One for each name over the whole run."""
    return Authority(name)


def tls_secret(namespace: str, name: str, pair: tuple[str, str]) -> Document:
    certificate, key = pair
    data = {
        "tls.crt": base64.b64encode(certificate.encode()).decode(),
        "tls.key": base64.b64encode(key.encode()).decode(),
    }
    about = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": about, "type": "kubernetes.io/tls", "data": data}


def ca_config_map(namespace: str, name: str, pem: str, key: str = "ca.crt") -> Document:
    about = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": {key: pem}}


def client_context(
    trusted: Authority | None, pair: tuple[str, str] | None = None, *, check_hostname: bool = True
) -> ssl.SSLContext:
    """Trusts one authority, or anybody (None); shows a certificate of its own if there is one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = check_hostname and trusted is not None
    context.verify_mode = ssl.CERT_REQUIRED if trusted is not None else ssl.CERT_NONE
    if trusted is not None:
        context.load_verify_locations(cadata=trusted.pem)
    if pair is not None:
        _load(context, pair)
    return context


def server_context(pair: tuple[str, str], clients: Authority | None = None) -> ssl.SSLContext:
    """Shows a certificate; with `clients`, asks for one of that authority's. Notes the name that was asked for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load(context, pair)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=clients.pem)

    def note(tls: Any, name: str | None, _: ssl.SSLContext) -> None:
        tls.asked_name = name

    context.sni_callback = note
    return context


def _load(context: ssl.SSLContext, pair: tuple[str, str]) -> None:
    """The ssl module reads certificates from files alone."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pair.pem"
        path.write_text("".join(pair))
        context.load_cert_chain(path)
