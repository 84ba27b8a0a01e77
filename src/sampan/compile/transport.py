"""TLS on both sides of the proxy. Certificates and trust come by SDS under their own names, so a renewed certificate
touches no listener and no cluster."""

from __future__ import annotations

from functools import cache
from typing import Any

from sampan.compile.secrets import trust_name
from sampan.compile.settings import Settings
from sampan.envoy import protos
from sampan.model.plan import ClientValidation, DownstreamTls, UpstreamTls

SOCKET_NAME = "envoy.transport_sockets.tls"


def fill_over_ads(source: Any) -> None:
    """A ConfigSource: from the stream that everything comes on."""
    source.ads.SetInParent()
    source.resource_api_version = protos.core.ApiVersion.V3


def fill_downstream(socket: Any, tls: DownstreamTls) -> None:
    """Of a filter chain. Envoy picks among the certificates by SNI and by the key types that the client takes."""
    context = protos.tls.DownstreamTlsContext()
    shared = context.common_tls_context
    for name in tls.certificates:
        _secret(shared.tls_certificate_sds_secret_configs.add(), name)
    if tls.http:
        shared.alpn_protocols.extend(("h2", "http/1.1"))
    versions = _versions()
    shared.tls_params.tls_minimum_protocol_version = versions[tls.minimum_version or "1.2"]
    if tls.maximum_version:
        shared.tls_params.tls_maximum_protocol_version = versions[tls.maximum_version]
    if tls.client_validation is not None:
        _clients(context, tls.client_validation)
    _pack(socket, context)


def fill_upstream(socket: Any, tls: UpstreamTls, protocol: str, settings: Settings) -> None:
    """Of a cluster. The server must have a certificate that the trust covers, for one of the names."""
    context = protos.tls.UpstreamTlsContext()
    context.sni = tls.sni
    shared = context.common_tls_context
    alpn = {"http1": "http/1.1", "http2": "h2"}.get(protocol)
    if alpn:
        shared.alpn_protocols.append(alpn)
    if tls.certificate:
        _secret(shared.tls_certificate_sds_secret_configs.add(), tls.certificate)
    if tls.trust:
        combined = shared.combined_validation_context
        _secret(combined.validation_context_sds_secret_config, trust_name(tls.trust))
        validation = combined.default_validation_context
    else:
        validation = shared.validation_context
        validation.trusted_ca.filename = settings.system_trust
    kinds = {"dns": protos.tls.SubjectAltNameMatcher.DNS, "uri": protos.tls.SubjectAltNameMatcher.URI}
    for kind, value in tls.names or (("dns", tls.sni),):
        name = validation.match_typed_subject_alt_names.add()
        name.san_type = kinds[kind]
        name.matcher.exact = value
    _pack(socket, context)


def _clients(context: Any, validation: ClientValidation) -> None:
    """Not required (the Gateway API's AllowInsecureFallback): a client without a certificate, or with one that nobody
    vouches for, is let in."""
    combined = context.common_tls_context.combined_validation_context
    _secret(combined.validation_context_sds_secret_config, trust_name(validation.trust))
    context.require_client_certificate.value = validation.required
    default = combined.default_validation_context
    default.SetInParent()
    if not validation.required:
        default.trust_chain_verification = protos.tls.CertificateValidationContext.ACCEPT_UNTRUSTED


def _secret(config: Any, name: str) -> None:
    config.name = name
    fill_over_ads(config.sds_config)


def _pack(socket: Any, context: Any) -> None:
    socket.name = SOCKET_NAME
    socket.typed_config.CopyFrom(protos.packed(context))


@cache
def _versions() -> dict[str, int]:
    return {"1.2": protos.tls.TlsParameters.TLSv1_2, "1.3": protos.tls.TlsParameters.TLSv1_3}
