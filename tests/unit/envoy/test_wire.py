"""Joined bytes are what protobuf itself would have written."""

from __future__ import annotations

import pytest

from sampan.envoy import protos, wire


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**32 - 1, 2**63])
def test_a_varint_is_read_back(value: int) -> None:
    assert wire.read_varint(b"x" + wire.varint(value), 1) == (value, 1 + len(wire.varint(value)))


def test_a_route_configuration_of_cached_parts_is_the_messages_own_serialisation() -> None:
    whole = protos.route.RouteConfiguration(name="http-80")
    parts = [wire.text(1, "http-80")]
    for number in range(10):
        host = protos.route.VirtualHost(name=f"host-{number}", domains=[f"{number}.example.com", "x" * 200])
        routes = []
        for index in range(5):
            route = protos.route.Route(name=f"route-{index}")
            route.match.prefix = f"/{index}" * 100
            route.route.cluster = "service/default/shop/8080"
            routes.append(route)
        whole.virtual_hosts.add().CopyFrom(host)
        whole.virtual_hosts[-1].routes.extend(routes)
        joined = host.SerializeToString() + wire.repeated(3, [route.SerializeToString() for route in routes])
        parts.append(wire.field(2, joined))
    assert b"".join(parts) == whole.SerializeToString()


def test_numbers_and_defaults_are_written_as_proto3_has_it() -> None:
    address = protos.core.SocketAddress(address="127.0.0.1", port_value=8080)
    assert wire.text(2, "127.0.0.1") + wire.integer(3, 8080) == address.SerializeToString()
    assert wire.text(2, "") + wire.integer(3, 0) == b""


def test_fields_give_every_part_back() -> None:
    cluster = protos.cluster.Cluster(name="a", respect_dns_ttl=True)
    cluster.connect_timeout.seconds = 3
    cluster.metadata.filter_metadata["x"].update({"weight": 1.5})
    data = cluster.SerializeToString()
    parts = list(wire.fields(data))
    assert b"".join(whole for _, whole, _ in parts) == data
    assert (1, wire.field(1, b"a"), b"a") in parts


@pytest.mark.parametrize("data", [b"\x0a", b"\x0a\x05abc", b"\x80", b"\x0b", b"\x0d\x00", b"\xff" * 11])
def test_torn_bytes_are_an_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        list(wire.fields(data))
