"""Certificates and trust bundles → Secrets."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.envoy import protos, types
from sampan.envoy.table import Row, row
from sampan.model.plan import Certificate, TrustBundle


def certificate_row(certificate: Certificate) -> Row:
    secret = protos.tls.Secret(name=certificate.name)
    secret.tls_certificate.certificate_chain.inline_bytes = certificate.chain
    secret.tls_certificate.private_key.inline_bytes = certificate.key
    return row(types.SECRET, certificate.name, secret.SerializeToString())


def trust_row(bundles: Sequence[TrustBundle]) -> Row:
    """A Secret of all authorities of the bundles: one TLS context takes one."""
    name = trust_name([bundle.name for bundle in bundles])
    secret = protos.tls.Secret(name=name)
    secret.validation_context.trusted_ca.inline_bytes = b"\n".join(bundle.bundle for bundle in bundles)
    return row(types.SECRET, name, secret.SerializeToString())


def trust_name(names: Sequence[str]) -> str:
    """The name of the Secret with these bundles: a bundle's own, or theirs joined (`+` is in no resource name)."""
    return "+".join(names)
