"""Header changes put together, endpoints, and what the messages say in detail."""

from __future__ import annotations

from compile_world import action, entry, one_host, plan

from sampan.compile.endpoints import endpoint_row
from sampan.compile.engine import compile_plan
from sampan.compile.headers import literal, then, without_host
from sampan.compile.memo import Memo
from sampan.compile.routes import trial
from sampan.envoy import protos, types
from sampan.model.plan import NO_CHANGES, Endpoint, EndpointGroup, Entry, Forward, HeaderChanges, Host, Redirect, Share


def test_changes_one_after_the_other() -> None:
    """What the second removes or sets is gone of the first; what it adds comes after."""
    first = HeaderChanges(set=(("A", "1"), ("B", "1")), add=(("C", "1"), ("D", "1")), remove=("E",))
    second = HeaderChanges(set=(("c", "2"),), add=(("d", "2"), ("a", "2")), remove=("b",))
    assert then(first, second) == HeaderChanges(
        set=(("A", "1"), ("c", "2")), add=(("D", "1"), ("d", "2"), ("a", "2")), remove=("E", "b")
    )
    assert then(first, NO_CHANGES) is first
    assert then(NO_CHANGES, second) is second


def test_host_is_no_header() -> None:
    changes = HeaderChanges(set=(("HOST", "a"), ("x", "y")), add=(("host", "b"),), remove=("Host", "z"))
    assert without_host(changes) == (HeaderChanges(set=(("x", "y"),), remove=("z",)), "a")
    untouched = HeaderChanges(set=(("x", "y"),))
    assert without_host(untouched) == (untouched, "")


def test_percent_signs() -> None:
    assert literal("%REQ(x)% 100%") == "%%REQ(x)%% 100%%"


def test_endpoints() -> None:
    group = EndpointGroup(
        "service/default/shop/80",
        (
            Endpoint("10.0.0.1", 80, zone="a"),
            Endpoint("10.0.0.2", 80, weight=3, state="draining"),
            Endpoint("10.0.0.3", 80, zone="a"),
            Endpoint("10.0.0.4", 80, state="down"),
            Endpoint("/run/shop.sock", 0),
        ),
    )
    row = endpoint_row(group)
    assert (row.type, row.name) == (types.ENDPOINT, group.name)
    message = protos.endpoint.ClusterLoadAssignment.FromString(row.body)
    assert [zone.locality.zone for zone in message.endpoints] == ["a", ""]
    first, second = message.endpoints
    assert [item.endpoint.address.socket_address.address for item in first.lb_endpoints] == ["10.0.0.1", "10.0.0.3"]
    draining, unix = second.lb_endpoints
    assert (draining.load_balancing_weight.value, draining.health_status) == (3, protos.core.DRAINING)
    assert unix.endpoint.address.pipe.path == "/run/shop.sock"
    assert endpoint_row(group).version == row.version


def test_a_trial_holds_the_parts() -> None:
    compiled = compile_plan(one_host(entry("x"), entry("y"), entry("z")), (), Memo())
    parts = compiled.parts["http/80"]
    table = protos.route.RouteConfiguration.FromString(trial("http/80", [parts[0], parts[2]]).body)
    assert [route.match.path_separated_prefix for route in table.virtual_hosts[0].routes] == ["/x", "/z"]


def test_a_misdirected_host() -> None:
    compiled = compile_plan(plan(Host("other", "other.org", (), misdirected=True)), (), Memo())
    row = compiled.table.get(types.ROUTE, "http/80")
    assert row is not None
    (host,) = protos.route.RouteConfiguration.FromString(row.body).virtual_hosts
    assert [route.direct_response.status for route in host.routes] == [421]


def test_a_port_that_goes_without_saying() -> None:
    """One Route for requests whose Host names a port, one without for the others."""
    redirect = action("x", Share(1, Redirect(301, scheme="https", port=443)))
    table = compile_plan(one_host(Entry(entry("x").match, redirect)), (), Memo()).table
    row = table.get(types.ROUTE, "http/80")
    assert row is not None
    routes = protos.route.RouteConfiguration.FromString(row.body).virtual_hosts[0].routes
    assert [(route.redirect.port_redirect, len(route.match.headers)) for route in routes] == [(443, 1), (0, 0)]


def test_weights_that_millions_cannot_hold() -> None:
    """A share of one in ten million is rounded away, and nothing else is harmed."""
    shares = (Share(9_999_999, Forward("a")), Share(1, Redirect(301, hostname="x.org")))
    compiled = compile_plan(one_host(Entry(entry("x").match, action("x", *shares))), (), Memo())
    row = compiled.table.get(types.ROUTE, "http/80")
    assert row is not None
    first, second = protos.route.RouteConfiguration.FromString(row.body).virtual_hosts[0].routes
    assert first.match.runtime_fraction.default_value.numerator == 1_000_000
    assert second.redirect.host_redirect == "x.org"
