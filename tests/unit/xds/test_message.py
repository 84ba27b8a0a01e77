"""Requests read, responses joined, error texts understood."""

from __future__ import annotations

import pytest
from xds_play import cluster, endpoints, listener

from sampan.envoy import protos
from sampan.envoy.table import Row, row
from sampan.envoy.types import CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET
from sampan.xds.message import BadRequestError, Node, children, refused_names, request, response


def test_a_request_is_read_whole() -> None:
    message = protos.discovery.DeltaDiscoveryRequest(type_url=CLUSTER, response_nonce="7")
    message.node.id, message.node.cluster = "n", "c"
    message.node.user_agent_build_version.version.major_number = 1
    message.node.user_agent_build_version.version.minor_number = 40
    message.resource_names_subscribe.append("a")
    message.resource_names_unsubscribe.append("b")
    message.initial_resource_versions["c"] = "v"
    message.error_detail.message = "no"
    found = request(message.SerializeToString())
    assert found.node == Node("n", "c", "1.40.0")
    assert (found.type, found.subscribe, found.unsubscribe, found.initial) == (CLUSTER, ("a",), ("b",), {"c": "v"})
    assert (found.nonce, found.error) == ("7", "no")


def test_an_error_without_a_text_is_an_error() -> None:
    message = protos.discovery.DeltaDiscoveryRequest(type_url=CLUSTER)
    message.error_detail.code = 13
    assert request(message.SerializeToString()).error
    assert request(b"").error == ""


def test_what_is_no_request_is_an_error() -> None:
    with pytest.raises(BadRequestError):
        request(b"\xff\xff\xff")


def test_a_response_of_joined_rows_is_what_protobuf_reads() -> None:
    rows = [endpoints("a"), endpoints("b")]
    found = protos.discovery.DeltaDiscoveryResponse.FromString(response(ENDPOINT, rows, ["c", "d"], "3", "9"))
    assert [(item.name, item.version) for item in found.resources] == [(item.name, item.version) for item in rows]
    assert found.resources[1].resource.value == rows[1].body
    assert (found.type_url, found.nonce, found.system_version_info) == (ENDPOINT, "3", "9")
    assert [*found.removed_resources] == ["c", "d"]


@pytest.mark.parametrize(
    ("type_url", "error", "expected"),
    [
        (CLUSTER, "Error adding/updating cluster(s) a: why, b/c: because a: b, that", {"a", "b/c"}),
        (LISTENER, "Error adding/updating listener(s) a: error adding listener: b/c, port", {"a"}),
        (CLUSTER, "Proto constraint validation failed (a: b/c: x)", set()),
        (ROUTE, "Error adding/updating a: no", set()),
        (CLUSTER, "", set()),
    ],
)
def test_the_names_an_error_blames(type_url: str, error: str, expected: set[str]) -> None:
    assert refused_names(type_url, error, ["a", "b/c", "c"]) == expected


def test_what_a_row_makes_envoy_ask_for() -> None:
    assert children(cluster("a")) == ((ENDPOINT, "a"),)
    assert children(endpoints("a")) == ()
    assert set(children(listener("l", secret="s"))) == {(ROUTE, "l"), (SECRET, "s")}


def test_a_cluster_names_its_endpoints_and_its_secrets() -> None:
    message = protos.cluster.Cluster(name="a", type=protos.cluster.Cluster.EDS)
    message.eds_cluster_config.service_name = "other"
    context = protos.tls.UpstreamTlsContext()
    context.common_tls_context.validation_context_sds_secret_config.name = "ca"
    context.common_tls_context.validation_context_sds_secret_config.sds_config.ads.SetInParent()
    assert children(as_row(message)) == ((ENDPOINT, "other"),)
    message.transport_socket.typed_config.Pack(context)
    assert set(children(as_row(message))) == {(ENDPOINT, "other"), (SECRET, "ca")}
    assert children(as_row(protos.cluster.Cluster(name="a", type=protos.cluster.Cluster.STRICT_DNS))) == ()


def as_row(message: protos.cluster.Cluster) -> Row:
    return row(CLUSTER, message.name, message.SerializeToString())
