"""The bootstrap is a message that Envoy knows, the same for the same arguments."""

from __future__ import annotations

from dataclasses import replace

from google.protobuf import json_format

from sampan.envoy import protos
from sampan.envoy.bootstrap import Start, bootstrap

START = Start("node", "gateway", "/run/sampan/xds.sock", "/run/sampan/admin.sock")


def test_it_is_a_bootstrap_with_delta_ads_over_the_socket() -> None:
    # Duration and Any are checked as Envoy would: an unknown field is an error.
    for needed in (protos.http_options.HttpProtocolOptions, protos.bootstrap.Bootstrap):
        assert needed.DESCRIPTOR
    protos.message_class("envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig")
    message = json_format.Parse(bootstrap(START), protos.bootstrap.Bootstrap())
    assert message.node.id == "node"
    assert message.dynamic_resources.ads_config.api_type == protos.core.ApiConfigSource.DELTA_GRPC
    back_off = message.dynamic_resources.ads_config.grpc_services[0].envoy_grpc.retry_policy.retry_back_off
    assert (back_off.base_interval.ToMilliseconds(), back_off.max_interval.ToMilliseconds()) == (100, 1000)
    pipe = message.static_resources.clusters[0].load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.pipe
    assert pipe.path == "/run/sampan/xds.sock"
    assert message.admin.address.pipe.mode == 0o600


def test_the_same_start_gives_the_same_bytes() -> None:
    assert bootstrap(START) == bootstrap(replace(START))
