"""Endpoints: their states, their sources, and the road of their own."""

from __future__ import annotations

from resolve_world import GATEWAY, World, objects, route, service

from sampan.model.meta import Object
from sampan.model.names import Ref
from sampan.model.plan import Endpoint
from sampan.model.snapshot import difference
from sampan.resolve import endpoint_group, groups_touched


def slice_(endpoints: str, name: str = "one", ports: str = "[{name: main, port: 8080}]", type_: str = "IPv4") -> str:
    return f"""
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}, labels: {{kubernetes.io/service-name: shop}}}}
addressType: {type_}
ports: {ports}
endpoints: {endpoints}
"""


def backend(name: str, spec: str, labels: str = "app: shop") -> str:
    return f"""
apiVersion: sampan.dev/v1alpha1
kind: Backend
metadata: {{name: {name}, labels: {{{labels}}}}}
spec: {spec}
"""


def endpoints(world: World, upstream: str = "service/default/shop/80") -> tuple[Endpoint, ...]:
    return endpoint_group(world.snapshot, world.plan().upstreams[upstream]).endpoints


def test_states_of_endpoints() -> None:
    world = World(
        GATEWAY,
        service("shop"),
        route("shop", "/"),
        slice_("""
- {addresses: [10.0.0.5]}
- {addresses: [10.0.0.4], conditions: {ready: true}, zone: a}
- {addresses: [10.0.0.3], conditions: {ready: false, serving: true, terminating: true}}
- {addresses: [10.0.0.2], conditions: {ready: false, serving: false, terminating: true}}
- {addresses: [10.0.0.1], conditions: {ready: false}}
"""),
    )
    assert endpoints(world) == (
        Endpoint("10.0.0.1", 8080, state="down"),
        Endpoint("10.0.0.2", 8080, state="down"),
        Endpoint("10.0.0.3", 8080, state="draining"),
        Endpoint("10.0.0.4", 8080, zone="a"),
        Endpoint("10.0.0.5", 8080),
    )
    group = endpoint_group(world.snapshot, world.plan().upstreams["service/default/shop/80"])
    assert group.name == "service/default/shop/80"


def test_a_service_without_endpoints_has_an_empty_group() -> None:
    world = World(GATEWAY, service("shop"), route("shop", "/"))
    assert endpoints(world) == ()
    assert world.plan().upstreams["service/default/shop/80"].discovery == "endpoints"


def test_endpoints_that_are_not_ready_count_where_the_service_says_so() -> None:
    world = World(
        GATEWAY,
        service("shop", extra="  publishNotReadyAddresses: true"),
        route("shop", "/"),
        slice_("[{addresses: [10.0.0.1], conditions: {ready: false}}]"),
    )
    assert endpoints(world) == (Endpoint("10.0.0.1", 8080),)


def test_a_port_is_found_by_its_name() -> None:
    ports = "[{name: other, port: 1}, {name: main, port: 2}, {name: main-udp, port: 3, protocol: UDP}]"
    world = World(GATEWAY, service("shop"), route("shop", "/"), slice_("[{addresses: [10.0.0.1]}]", ports=ports))
    assert endpoints(world) == (Endpoint("10.0.0.1", 2),)
    world.apply(slice_("[{addresses: [10.0.0.1]}]", ports="[{name: other, port: 1}]"))
    assert endpoints(world) == ()


def test_several_slices_and_the_same_endpoint_twice() -> None:
    world = World(
        GATEWAY,
        service("shop"),
        route("shop", "/"),
        slice_("[{addresses: [10.0.0.2]}, {addresses: [10.0.0.1]}]"),
        slice_("[{addresses: [10.0.0.1]}, {addresses: [10.0.0.3, 10.0.0.4]}]", "two"),
    )
    assert [item.address for item in endpoints(world)] == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]


def test_backends_by_label_with_weights_zones_and_sockets() -> None:
    world = World(
        GATEWAY,
        service("shop", extra="  selector: {app: shop}"),
        route("shop", "/"),
        backend(
            "a", "{port: {port: 7}, endpoints: [{address: 127.0.0.1, weight: 3, zone: z}, {address: '::1', port: 8}]}"
        ),
        backend("b", "{endpoints: [{unix: /run/b.sock}, {address: 127.0.0.9, port: 9, weight: 0}]}"),
        backend("c", "{endpoints: [{address: 127.0.0.3, port: 1}]}", "app: other"),
    )
    assert endpoints(world) == (
        Endpoint("/run/b.sock", 0),
        Endpoint("127.0.0.1", 7, 3, zone="z"),
        Endpoint("::1", 8),
    )
    assert endpoints(world)[0].unix


def test_a_target_port_by_name_takes_backends_that_have_it() -> None:
    named = service("shop", extra="  selector: {app: shop}").replace("port: 80", "port: 80, targetPort: web")
    world = World(
        GATEWAY,
        named,
        route("shop", "/"),
        backend("a", "{port: {name: web, port: 7}, endpoints: [{address: 127.0.0.1}]}"),
        backend("b", "{port: {name: admin, port: 8}, endpoints: [{address: 127.0.0.2}]}"),
    )
    assert endpoints(world) == (Endpoint("127.0.0.1", 7),)


def touched(world: World, *texts: str, gone: Ref | None = None) -> tuple[set[str], bool]:
    changes: dict[Ref, Object | None] = dict(objects(*texts)) if texts else {}
    if gone is not None:
        changes[gone] = None
    old = world.snapshot
    new = old.with_changes(changes)
    groups, more = groups_touched(difference(old, new), old, new)
    return set(groups), more


SHOP = "service/default/shop/80"


def test_a_changed_slice_touches_its_services_groups_alone() -> None:
    world = World(GATEWAY, service("shop"), service("other"), slice_("[]"))
    assert touched(world, slice_("[{addresses: [10.0.0.1]}]")) == ({SHOP}, False)
    assert touched(world, slice_("[{addresses: [x.test]}]", type_="FQDN")) == ({SHOP}, True)
    gone = next(ref for ref in world.snapshot.objects if ref.kind == "EndpointSlice")
    assert touched(world, gone=gone) == ({SHOP}, False)


def test_a_slice_that_moves_touches_both_services() -> None:
    world = World(GATEWAY, service("shop"), service("other"), slice_("[]"))
    moved = slice_("[]").replace("service-name: shop", "service-name: other")
    assert touched(world, moved) == ({SHOP, "service/default/other/80"}, False)


def test_a_backend_whose_endpoints_change_touches_nothing_else() -> None:
    one = "{endpoints: [{address: 127.0.0.1, port: 1}]}"
    world = World(
        GATEWAY,
        service("shop", extra="  selector: {app: shop}"),
        service("v2", extra="  selector: {app: shop, version: v2}"),
        backend("a", one),
    )
    groups = {SHOP, "backend/default/a"}
    assert touched(world, backend("a", "{endpoints: [{address: 127.0.0.2, port: 1}]}")) == (groups, False)
    labelled = backend("a", one, "app: shop, version: v2")
    assert touched(world, labelled) == (groups | {"service/default/v2/80"}, False)
    assert touched(world, backend("a", "{protocol: H2C, endpoints: [{address: 127.0.0.1, port: 1}]}")) == (groups, True)
    assert touched(world, backend("a", "{endpoints: [{hostname: x.test, port: 1}]}")) == (groups, True)
    assert touched(world, backend("new", one)) == ({SHOP, "backend/default/new"}, True)


def test_anything_else_needs_a_resolve() -> None:
    world = World(GATEWAY, service("shop"))
    assert touched(world, route("shop", "/")) == (set(), True)
    assert touched(world, service("shop", 81)) == ({SHOP, "service/default/shop/81"}, True)
    assert touched(world, *[]) == (set(), False)
