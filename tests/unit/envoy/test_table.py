"""Rows and Tables: versions by content, shared objects, differences."""

from __future__ import annotations

from sampan.envoy import protos
from sampan.envoy.table import Names, Row, Table, difference, row, table
from sampan.envoy.types import CLUSTER, ENDPOINT, SECRET


def cluster(name: str, seconds: int = 1) -> Row:
    message = protos.cluster.Cluster(name=name)
    message.connect_timeout.seconds = seconds
    return row(CLUSTER, name, message.SerializeToString())


def test_a_row_on_the_wire_is_the_resource_of_a_delta_response() -> None:
    item = cluster("service/default/reviews/8080")
    response = protos.discovery.DeltaDiscoveryResponse.FromString(item.wire + item.wire)
    assert len(response.resources) == 2
    resource = response.resources[1]
    assert (resource.name, resource.version) == (item.name, item.version)
    unpacked = protos.cluster.Cluster()
    assert resource.resource.Unpack(unpacked)
    assert unpacked.name == item.name


def test_the_version_is_the_content() -> None:
    assert cluster("a").version == cluster("a").version != cluster("a", 2).version


def test_a_row_does_not_print_what_it_carries() -> None:
    assert "BEGIN PRIVATE KEY" not in repr(row(SECRET, "s", b"-----BEGIN PRIVATE KEY-----"))


def test_rows_that_differ_in_nothing_keep_the_table_as_it_is() -> None:
    before = table([cluster("a"), cluster("b")])
    assert before.with_rows([cluster("a")], [(CLUSTER, "none"), (ENDPOINT, "none")]) is before


def test_unchanged_rows_and_types_stay_the_same_objects() -> None:
    before = table([cluster("a"), cluster("b"), row(ENDPOINT, "a", b"")])
    after = before.with_rows([cluster("b", 2)])
    assert after.of(ENDPOINT) is before.of(ENDPOINT)
    assert after.get(CLUSTER, "a") is before.get(CLUSTER, "a")
    assert before.get(CLUSTER, "b") == cluster("b")
    assert after.get(CLUSTER, "b") == cluster("b", 2)


def test_what_is_removed_and_put_in_at_once_is_there() -> None:
    before = table([cluster("a")])
    assert before.with_rows([cluster("a", 2)], [(CLUSTER, "a")]).get(CLUSTER, "a") == cluster("a", 2)
    assert len(before.with_rows([], [(CLUSTER, "a"), (CLUSTER, "a")])) == 0


def test_a_difference_names_what_changed_came_and_went() -> None:
    old = table([cluster("a"), cluster("b"), cluster("c"), row(ENDPOINT, "a", b"")])
    new = table([cluster("a"), cluster("b", 2), cluster("d"), row(ENDPOINT, "a", b"")])
    change = difference(old, new)
    assert change.types == {CLUSTER: Names(frozenset({"b", "d"}), frozenset({"c"}))}
    assert not difference(new, new)
    assert difference(Table(), old).of(ENDPOINT) == Names(frozenset({"a"}))
    assert difference(old, Table()).of(ENDPOINT) == Names(removed=frozenset({"a"}))
