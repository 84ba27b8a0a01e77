"""The kinds that Sampan knows without any policy."""

from __future__ import annotations

from sampan.documents.kinds.backend import Backend
from sampan.documents.kinds.backend_tls import BackendTLSPolicy
from sampan.documents.kinds.gateway import Gateway, GatewayClass
from sampan.documents.kinds.grpc_route import GRPCRoute
from sampan.documents.kinds.http_route import HTTPRoute
from sampan.documents.kinds.kind_set import Kind, KindSet
from sampan.documents.kinds.publication import Publication
from sampan.documents.kinds.reference_grant import ReferenceGrant
from sampan.documents.kinds.secret import ConfigMap, Secret
from sampan.documents.kinds.service import EndpointSlice, NamespaceSpec, Service
from sampan.documents.kinds.stream_routes import TCPRoute, TLSRoute
from sampan.model.names import CORE, DISCOVERY, GATEWAY_API, SAMPAN

BUILT_IN = KindSet().with_kinds(
    (
        Kind(GATEWAY_API, "GatewayClass", ("v1", "v1beta1"), GatewayClass),
        Kind(GATEWAY_API, "Gateway", ("v1", "v1beta1"), Gateway),
        Kind(GATEWAY_API, "HTTPRoute", ("v1", "v1beta1"), HTTPRoute),
        Kind(GATEWAY_API, "GRPCRoute", ("v1", "v1alpha2"), GRPCRoute),
        Kind(GATEWAY_API, "TLSRoute", ("v1", "v1alpha3", "v1alpha2"), TLSRoute),
        Kind(GATEWAY_API, "TCPRoute", ("v1", "v1alpha2"), TCPRoute),
        Kind(GATEWAY_API, "ReferenceGrant", ("v1", "v1beta1"), ReferenceGrant),
        Kind(GATEWAY_API, "BackendTLSPolicy", ("v1", "v1alpha3"), BackendTLSPolicy),
        Kind(GATEWAY_API, "ListenerSet", ("v1",), None),
        Kind(GATEWAY_API, "UDPRoute", ("v1", "v1alpha2"), None),
        Kind(SAMPAN, "Backend", ("v1alpha1",), Backend),
        Kind(
            SAMPAN,
            "Instance",
            ("v1alpha1",),
            None,
            registered="register it, or write a Backend with its address and labels",
        ),
        Kind(SAMPAN, "Publication", ("v1alpha1",), Publication),
        Kind(CORE, "Service", ("v1",), Service),
        Kind(DISCOVERY, "EndpointSlice", ("v1",), EndpointSlice, top_level=True),
        Kind(CORE, "Secret", ("v1",), Secret, top_level=True, secret=True),
        Kind(CORE, "ConfigMap", ("v1",), ConfigMap, top_level=True),
        Kind(CORE, "Namespace", ("v1",), NamespaceSpec),
    )
)
