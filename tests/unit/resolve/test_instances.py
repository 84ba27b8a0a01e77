"""Registered instances as endpoints: which a Service takes, and the road that a change of one takes."""

from __future__ import annotations

import pytest
from resolve_policies import KINDS, POLICIES
from resolve_world import GATEWAY, World, route, service

from sampan.documents.load import Document
from sampan.model.meta import Object
from sampan.model.names import Ref
from sampan.model.plan import Endpoint
from sampan.model.snapshot import difference
from sampan.resolve import endpoint_group, groups_touched

from ... import registered
from ...registered import instance

SHOP = "service/default/shop/80"
QUALIFIED = "service/default/shop~40consul/80"


def world(*instances: Document, texts: tuple[str, ...] = ()) -> World:
    """`shop` is registered, and a route leads to it."""
    made = World(GATEWAY, route("shop", "/"), *texts)
    return made.change(registered.objects(registered.registered("shop", *instances)))


def endpoints(world: World, upstream: str = SHOP) -> tuple[Endpoint, ...]:
    return endpoint_group(world.snapshot, world.plan().upstreams[upstream]).endpoints


def touched(world: World, *items: Document, gone: Document | None = None) -> tuple[set[str], bool]:
    changes: dict[Ref, Object | None] = {item.object.ref: item.object for item in items}
    if gone is not None:
        changes[gone.object.ref] = None
    new = world.snapshot.with_changes(changes)
    groups, more = groups_touched(difference(world.snapshot, new), world.snapshot, new)
    return set(groups), more


def test_each_instance_is_reached_at_its_own_port_with_its_weight_and_place() -> None:
    found = world(
        instance("shop", "10.0.0.2", 9002, weight=3, zone="a", region="north"),
        instance("shop", "10.0.0.1", 9001),
        instance("shop", "10.0.0.3", 9003, state="down"),
        instance("shop", "10.0.0.4", 9004, weight=0),
        instance("shop", "/run/shop.sock", 0),
        instance("other", "10.0.0.5"),
    )
    assert not found.said()
    assert endpoints(found) == (
        Endpoint("/run/shop.sock", 0),
        Endpoint("10.0.0.1", 9001),
        Endpoint("10.0.0.2", 9002, 3, zone="a", region="north"),
        Endpoint("10.0.0.3", 9003, state="down"),
    )


@pytest.mark.parametrize("target", ["", ", targetPort: 1234", ", targetPort: web"])
def test_a_service_of_a_document_takes_instances_at_their_own_ports_whatever_its_target_port(target: str) -> None:
    text = service("v2", extra="  selector: {sampan.dev/service: shop, version: v2}").replace(
        "port: 80", f"port: 80{target}"
    )
    made = world(
        instance("shop", "10.0.0.1", 9001, "v1"),
        instance("shop", "10.0.0.2", 9002, "v2"),
        instance("other", "10.0.0.3", 9003, "v2"),
        texts=(text, route("two", "/two").replace("name: shop, port", "name: v2, port")),
    )
    assert endpoints(made, "service/default/v2/80") == (Endpoint("10.0.0.2", 9002),)


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("sampan.dev/service: shop", ["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
        ("team: a", ["10.0.0.1", "10.0.0.2"]),
        ("team: a, version: v2", ["10.0.0.2"]),
        ("version: v2", ["10.0.0.2"]),
        ("sampan.dev/datacenter: dc1", ["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
        ("sampan.dev/datacenter: dc2", []),
        ("tag.sampan.dev/canary: 'true'", ["10.0.0.3"]),
        ("sampan.dev/service: other", []),
    ],
)
def test_instances_are_found_by_any_label(selector: str, found: list[str]) -> None:
    items = (
        instance("shop", "10.0.0.1", version="v1", labels={"team": "a"}),
        instance("shop", "10.0.0.2", version="v2", labels={"team": "a"}),
        instance("shop", "10.0.0.3", version="v1", labels={"tag.sampan.dev/canary": "true"}),
    )
    text = service("mine", extra=f"  selector: {{{selector}}}")
    made = world(*items, texts=(text, route("two", "/two").replace("name: shop, port", "name: mine, port")))
    assert [item.address for item in endpoints(made, "service/default/mine/80")] == found
    other = items[0].object.ref._replace(namespace="other")
    made.change({other: Object(other, items[0].object.meta, items[0].object.spec)})
    assert [item.address for item in endpoints(made, "service/default/mine/80")] == found
    for item in items:
        mine = "service/default/mine/80" in touched(made, gone=item)[0]
        assert mine == (item.object.spec.address in found)


def test_backends_and_instances_serve_one_service_together() -> None:
    backend = """
apiVersion: sampan.dev/v1alpha1
kind: Backend
metadata: {name: old, labels: {sampan.dev/service: shop, sampan.dev/source: consul, sampan.dev/datacenter: dc1}}
spec: {endpoints: [{address: 127.0.0.9, port: 9}]}
"""
    made = world(instance("shop", "10.0.0.1"), texts=(backend,))
    assert [item.address for item in endpoints(made)] == ["10.0.0.1", "127.0.0.9"]


def test_instances_that_are_not_ready_count_where_a_service_says_so() -> None:
    text = service("all", extra="  selector: {sampan.dev/service: shop}\n  publishNotReadyAddresses: true")
    made = world(
        instance("shop", state="down"),
        texts=(text, route("two", "/two").replace("name: shop, port", "name: all, port")),
    )
    assert endpoints(made, "service/default/all/80") == (Endpoint("10.0.0.1", 8080),)
    assert endpoints(made) == (Endpoint("10.0.0.1", 8080, state="down"),)


def test_an_instance_that_comes_goes_or_changes_takes_the_short_road() -> None:
    one = instance("shop", "10.0.0.1", version="v1")
    made = world(one, texts=(service("v2", extra="  selector: {sampan.dev/service: shop, version: v2}"),))
    groups = {SHOP, QUALIFIED}
    assert touched(made, instance("shop", "10.0.0.2")) == (groups, False)
    assert touched(made, gone=one) == (groups, False)
    assert touched(made, instance("shop", "10.0.0.1", version="v1", state="down")) == (groups, False)
    relabelled = instance("shop", "10.0.0.1", version="v2")
    assert touched(made, relabelled) == (groups | {"service/default/v2/80"}, False)
    assert touched(made, instance("nobody", "10.0.0.2")) == (set(), False)


def test_names_to_be_looked_up_need_a_resolve_and_so_does_every_instance_beside_one() -> None:
    one, name = instance("shop", "10.0.0.1"), instance("shop", "shop.test", 9000)
    made = world(one)
    assert touched(made, name) == ({SHOP, QUALIFIED}, True)
    made.change({name.object.ref: name.object})
    upstream = made.plan().upstreams[SHOP]
    assert (upstream.discovery, upstream.endpoints) == (
        "dns",
        (Endpoint("10.0.0.1", 8080), Endpoint("shop.test", 9000)),
    )
    assert touched(made, instance("shop", "10.0.0.1", state="down")) == ({SHOP, QUALIFIED}, True)
    assert touched(made, gone=name) == ({SHOP, QUALIFIED}, True)
    made.change({name.object.ref: None})
    assert made.plan().upstreams[SHOP].discovery == "endpoints"


def test_a_registered_service_by_its_qualified_name() -> None:
    text = route("two", "/two").replace("name: shop, port", "name: shop@consul, port")
    made = world(instance("shop", "10.0.0.1"), texts=(text, service("shop")))
    assert not made.said()
    assert endpoints(made, QUALIFIED) == (Endpoint("10.0.0.1", 8080),)


def test_what_is_said_of_a_port_that_a_registered_service_has_not() -> None:
    made = world(instance("shop", "10.0.0.1", 9080), texts=(route("two", "/two").replace("port: 80}", "port: 9080}"),))
    (said,) = made.said()
    assert (said.code.id, said.field_text) == ("SMP0311", "spec.rules[0].backendRefs[0].port")
    assert said.reason == "Service/default/shop has no port 9080"
    assert said.hint == "write 80: a registered service has that port here, and each instance is reached at its own"


def test_a_name_nearly_that_of_a_registered_service() -> None:
    made = World(GATEWAY, route("shop", "/").replace("name: shop, port", "name: go.micro.api.greter, port"))
    made.change(registered.objects(registered.registered("go.micro.api.greeter"), registered.registered("other")))
    assert [item.hint for item in made.said()] == ["did you mean 'go.micro.api.greeter'?"]
    made = World(GATEWAY, route("shop", "/").replace("name: shop, port", "name: Order_Service, port"))
    made.change(registered.objects(registered.registered("Order_Service"), registered.registered("other")))
    assert [item.hint for item in made.said()] == [
        "the registered service 'Order_Service' is called 'order-service-b170912c' here"
    ]
    made = World(GATEWAY, route("shop", "/").replace("name: shop, port", "name: x, port"))
    made.change(registered.objects(registered.registered("aaaaaa"), registered.registered("bbbbbb")))
    assert [item.hint for item in made.said()] == ["there is 'aaaaaa', 'bbbbbb'"]


def test_a_policy_is_attached_to_a_registered_service_by_either_name() -> None:
    def limit(target: str) -> World:
        policy = f"""
apiVersion: sampan.dev/v1alpha1
kind: Speed
metadata: {{name: slow}}
spec: {{targetRefs: [{{group: "", kind: Service, name: {target}}}], limit: 7}}
"""
        texts = (
            GATEWAY,
            route("shop", "/"),
            route("two", "/two").replace("name: shop, port", "name: shop@consul, port"),
        )
        made = World(*texts, policies=POLICIES, kinds=KINDS)
        made.change(registered.objects(registered.registered("shop", instance("shop"))))
        return made.apply(policy)

    for target, mine, other in (("shop", SHOP, QUALIFIED), ("shop@consul", QUALIFIED, SHOP)):
        made = limit(target)
        assert not made.said()
        assert made.plan().upstreams[mine].policies["Speed"].value.limit == 7
        assert made.plan().upstreams[other].policies["Speed"].value.limit == 100
        assert made.policy("Speed", "slow").status == "True"
    (said,) = limit("shp").said()
    assert (said.code.id, said.hint) == ("SMP0402", "did you mean 'shop'?")
