"""BackendTLSPolicy, and what it shares with Backend: how a backend's certificate is checked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from sampan.documents.kinds.gateway import Options
from sampan.documents.kinds.references import LocalObjectReference, PolicyTargetReference, target_mistakes
from sampan.documents.kinds.scalars import WELL_KNOWN_CA_PATTERN, Hostname, PreciseHostname, Uri
from sampan.documents.kinds.shape import NO_STRINGS, Mistake, Ruled, Spec


class SubjectAltName(Ruled):
    """A name that the backend's certificate may carry instead of `hostname`."""

    type: Literal["Hostname", "URI"]
    hostname: Hostname = ""
    uri: Uri = ""

    def mistakes(self) -> Iterator[Mistake]:
        for kind, field, value in (("Hostname", "hostname", self.hostname), ("URI", "uri", self.uri)):
            if self.type == kind and not value:
                yield Mistake(f"type {kind} needs the field '{field}'", (), f"add '{field}:'")
            if self.type != kind and value:
                yield Mistake(
                    f"'{field}' does not go with type {self.type}", (field,), f"write 'type: {kind}' or remove it"
                )


class BackendTLSValidation(Ruled):
    """Which certificates of a backend are taken."""

    ca_certificate_refs: Annotated[tuple[LocalObjectReference, ...], Field(max_length=8)] = ()
    """ConfigMaps (or Secrets) with the certificates of the authorities under `ca.crt`."""
    well_known_ca_certificates: Annotated[
        str, Field(alias="wellKnownCACertificates", pattern=WELL_KNOWN_CA_PATTERN, min_length=1, max_length=253)
    ] = ""
    """`System`: the authorities that the machine trusts."""
    hostname: PreciseHostname
    """Asked for (SNI), and needed in the certificate if there are no `subjectAltNames`."""
    subject_alt_names: Annotated[tuple[SubjectAltName, ...], Field(max_length=5)] = ()

    def mistakes(self) -> Iterator[Mistake]:
        if self.ca_certificate_refs and self.well_known_ca_certificates:
            yield Mistake(
                "caCertificateRefs and wellKnownCACertificates exclude each other", ("wellKnownCACertificates",)
            )
        if not self.ca_certificate_refs and not self.well_known_ca_certificates:
            yield Mistake(
                "no authority is named to check the certificate against",
                (),
                "add 'caCertificateRefs:' or 'wellKnownCACertificates: System'",
            )


class BackendTLSPolicy(Spec):
    """The connection to a Service's backends uses TLS, and their certificates are checked."""

    target_refs: Annotated[tuple[PolicyTargetReference, ...], Field(min_length=1, max_length=16)]
    """Services, or named ports of them by `sectionName`."""
    validation: BackendTLSValidation
    options: Options = NO_STRINGS

    def mistakes(self) -> Iterator[Mistake]:
        yield from target_mistakes(self.target_refs)
