"""HTTPRoutes: host names of routes and listeners, ports."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .marks import case
from .settled import SERVING, Listener, until_listeners
from .stage import Stage
from .world import Document, World, free_port, gateway, http_listener, http_route, to

pytestmark = pytest.mark.envoy

GATEWAY = {"group": "gateway.networking.k8s.io", "kind": "Gateway"}


def staged(world: World, *hosts: str) -> Stage:
    """A Gateway `same` with one listener for each host, named `l0`, `l1`, …, all on the port of the stage."""
    stage = Stage(world)
    listeners = [http_listener(stage.port, f"l{number}", hostname=host) for number, host in enumerate(hosts)]
    stage.basis[0] = gateway(stage.namespace, "same", *listeners)
    return stage


@pytest.fixture
def intersecting(world: World) -> Iterator[Stage]:
    stage = staged(world, "one.exact.example", "*.wild.example", "*.other.example")
    yield stage
    world.remove(*stage.files)


@case("HTTPRouteHostnameIntersection")
def test_where_hosts_of_routes_and_listeners_meet(intersecting: Stage) -> None:
    stage, every = intersecting, free_port()
    hosts = {
        "exact": ["not.mine.example", "*.not.example", "one.exact.example"],
        "in-wild": ["not.mine.example", "wild.example", "a.wild.example", "b.wild.example", "a.b.wild.example"],
        "wild-of-exact": ["not.mine.example", "*.exact.example"],
        "wild": ["*.other.example"],
        "none": ["exact.but.wrong.example", "wild.example"],
    }
    backends = dict(zip(hosts, ("a", "b", "c", "a", "b"), strict=True))
    routes = [
        stage.route(
            to(backends[name], matches=[{"path": {"type": "PathPrefix", "value": f"/s{number}"}}]),
            name=name,
            hostnames=hostnames,
        )
        for number, (name, hostnames) in enumerate(hosts.items(), 1)
    ]
    four = ["first.example", "sub.first.example", "second.example", "sub.second.example"]
    over_every = [
        gateway(stage.namespace, "every", http_listener(every)),
        http_route(stage.namespace, "four", "every", to("b"), hostnames=four),
    ]
    stage.write(*routes, *over_every)
    stage.settled(*routes[:4], *over_every)
    for path, host in (
        ("/s1", "one.exact.example"),
        ("/s1", "one.exact.example:1234"),
        ("/s4", "a.other.example"),
        ("/s4", "b.other.example"),
        ("/s4", "a.b.other.example"),
    ):
        stage.expect("a", path, host)
    for host in ("a.wild.example", "b.wild.example", "a.b.wild.example"):
        stage.expect("b", "/s2", host)
    stage.expect("c", "/s3", "one.exact.example")
    for path, host in (
        ("/s1", "not.mine.example"),
        ("/s1", "a.not.example"),
        ("/s1", "a.wild.example"),
        ("/elsewhere", "one.exact.example"),
        ("/s2", "not.mine.example"),
        ("/s2", "wild.example"),
        ("/s2", "one.exact.example"),
        ("/elsewhere", "a.wild.example"),
        ("/s3", "not.mine.example"),
        ("/s3", "a.exact.example"),
        ("/s3", "a.wild.example"),
        ("/s4", "other.example"),
        ("/s4", "a.wild.example"),
        ("/s4", "one.exact.example"),
        ("/elsewhere", "a.other.example"),
        ("/s5", "exact.but.wrong.example"),
        ("/s5", "wild.example"),
    ):
        stage.expect(404, path, host)
    stage.settled(routes[4], routes=[("Accepted", "False", "NoMatchingListenerHostname")])
    attached = {f"l{number}": Listener(count, ["HTTPRoute"], SERVING) for number, count in enumerate((2, 1, 1))}
    until_listeners(stage.world, stage.namespace, "same", attached)
    for host in four:
        stage.expect("b", "/", host, port=every)
    stage.expect(404, "/", "third.example", port=every)
    stage.expect(404, "/", "sub.third.example", port=every)


@case("HTTPRouteListenerHostnameMatching")
def test_the_most_specific_listener_has_the_host(world: World) -> None:
    stage = staged(world, "bar.example", "foo.bar.example", "*.bar.example", "*.foo.example")
    parents = {"a": ["l0"], "b": ["l1"], "c": ["l2", "l3"]}
    routes = [stage.route(to(name), name=name) for name in parents]
    for route, sections in zip(routes, parents.values(), strict=True):
        whole = {**GATEWAY, "name": "same", "namespace": stage.namespace}
        route["spec"]["parentRefs"] = [{**whole, "sectionName": section} for section in sections]
    stage.apply(*routes)
    stage.expect("a", "/", "bar.example")
    stage.expect("b", "/", "foo.bar.example")
    for host in ("baz.bar.example", "boo.bar.example", "more.labels.bar.example", "more.labels.foo.example"):
        stage.expect("c", "/", host)
    stage.expect(404, "/", "foo.example")
    stage.expect(404, "/", "no.matching.host")
    world.remove(*stage.files)


@case("HTTPRouteListenerPortMatching")
def test_a_parent_may_be_named_by_port(world: World) -> None:
    stage = Stage(world)
    second, third = free_port(), free_port()
    places = [(stage.port, "foo"), (second, "foo"), (second, "bar"), (third, "foo"), (third, "bar")]
    listeners = [
        http_listener(port, f"l{number}", hostname=f"{host}.example") for number, (port, host) in enumerate(places, 1)
    ]
    stage.basis[0] = gateway(stage.namespace, "same", *listeners)
    parents: dict[str, Document] = {
        "a": {"port": stage.port},
        "b": {"port": second},
        "c": {"port": third, "sectionName": "l4"},
    }
    routes = [stage.route(to(name), name=name) for name in parents]
    for route, parent in zip(routes, parents.values(), strict=True):
        route["spec"]["parentRefs"] = [{"name": "same", **parent}]
    stage.apply(*routes)
    stage.expect("a", "/", "foo.example")
    stage.expect("b", "/", f"foo.example:{second}", port=second)
    stage.expect("b", "/", f"bar.example:{second}", port=second)
    stage.expect("c", "/", f"foo.example:{third}", port=third)
    stage.expect(404, "/", f"bar.example:{third}", port=third)
    world.remove(*stage.files)
