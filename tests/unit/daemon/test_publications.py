"""Publications, from records to routes, statuses and diagnostics: a service appears with no document touched."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sampan.daemon.world import World
from sampan.documents.kinds.built_in import BUILT_IN
from sampan.documents.kinds.instance import Instance
from sampan.documents.kinds.publication import Publication
from sampan.documents.kinds.service import Service, ServicePort
from sampan.documents.load import Document, Loaded, load
from sampan.model.meta import Meta, Object, Origin
from sampan.model.names import (
    CORE,
    GATEWAY_API,
    REGISTERED_NAME,
    SAMPAN,
    SERVICE_LABEL,
    SOURCE_LABEL,
    Ref,
    instance_name,
    registered_name,
)
from sampan.model.status import condition
from sampan.sources.source import Records

NOW = "2026-01-01T00:00:00Z"
GATEWAY = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: shop}
spec:
  gatewayClassName: sampan
  listeners: [{name: http, port: 8080, protocol: HTTP}]
---
"""
EVERYTHING = """
apiVersion: sampan.dev/v1alpha1
kind: Publication
metadata: {name: all}
spec:
  parentRefs: [{name: %s}]
  services: %s
"""
PUBLICATION = Ref(SAMPAN, "Publication", "default", "all")


def documents(text: str, source: str = "files") -> Records:
    return Records(source, {"a.yaml": load(text, "a.yaml", BUILT_IN)})


def registered(name: str, instances: Mapping[str, Mapping[str, str]]) -> Records:
    """A service as the source gives it; `instances`: id → further labels. Without any the service is gone."""
    plain = registered_name(name)
    origin = Origin("consul", f"consul:{name}")
    labels = {SERVICE_LABEL: plain, SOURCE_LABEL: "consul"}
    service = Service(selector=labels, ports=(ServicePort(port=80),))
    made = [
        Document(
            Object(
                Ref(CORE, "Service", "default", ref), Meta(annotations={REGISTERED_NAME: name}, origin=origin), service
            ),
            origin,
            yields="@" not in ref,
        )
        for ref in (plain, f"{plain}@consul")
    ]
    made += [
        Document(
            Object(
                Ref(SAMPAN, "Instance", "default", instance_name(plain, "n", id_)),
                Meta({**labels, **more}, origin=origin),
                Instance("127.0.0.1", port=9000 + number, service=name, id=id_),
            ),
            origin,
        )
        for number, (id_, more) in enumerate(instances.items())
    ]
    if not instances:
        return Records("consul", removed=frozenset({name}))
    return Records("consul", {name: Loaded(tuple(made))})


def world_of(*records: Records) -> World:
    world = World(BUILT_IN, ())
    world.advance(records, NOW)
    return world


def routes(world: World) -> set[str]:
    return {item.ref.name for item in world.snapshot.of_kind(GATEWAY_API, "HTTPRoute")}


def upstreams(world: World) -> set[str]:
    return {name for plan in world.resolution.plans.values() for name in plan.upstreams}


def test_services_come_and_go_without_a_document_touched() -> None:
    world = world_of(documents(GATEWAY + EVERYTHING % ("shop", "{}")), registered("reviews", {"1": {}}))
    assert routes(world) == {"all:reviews"}
    world.advance([registered("go.micro.api.greeter", {"1": {}}), registered("Odd_Name", {"1": {}})], NOW)
    odd = registered_name("Odd_Name")
    assert routes(world) == {"all:reviews", "all:go.micro.api.greeter", f"all:{odd}"}
    assert upstreams(world) == {f"service/default/{name}/80" for name in ("reviews", "go_micro_api_greeter", odd)}
    world.advance([registered("reviews", {})], NOW)
    assert routes(world) == {"all:go.micro.api.greeter", f"all:{odd}"}
    assert "service/default/reviews/80" not in upstreams(world)
    world.advance([Records("files", removed=frozenset({"a.yaml"}))], NOW)
    assert routes(world) == set()
    assert world.snapshot.get(PUBLICATION) is None


def test_by_tag() -> None:
    chosen = '{matchLabels: {tag.sampan.dev/public: "true"}}'
    world = world_of(
        documents(GATEWAY + EVERYTHING % ("shop", chosen)),
        registered("reviews", {"1": {}}),
        registered("shop", {"1": {}, "2": {"tag.sampan.dev/public": "true"}}),
    )
    assert routes(world) == {"all:shop"}
    world.advance([registered("reviews", {"1": {"tag.sampan.dev/public": "true"}})], NOW)
    assert routes(world) == {"all:shop", "all:reviews"}
    world.advance([registered("shop", {"1": {}})], NOW)
    assert routes(world) == {"all:reviews"}


def test_a_changed_rule_moves_all_and_an_unchanged_route_stays_the_same_object() -> None:
    world = world_of(documents(GATEWAY + EVERYTHING % ("shop", "{}")), registered("reviews", {"1": {}}))
    ref = Ref(GATEWAY_API, "HTTPRoute", "default", "all:reviews")
    before = world.snapshot.get(ref)
    step = world.advance([registered("reviews", {"1": {}, "2": {}})], NOW)
    assert world.snapshot.get(ref) is before
    assert step.groups == {"service/default/reviews/80", "service/default/reviews@consul/80".replace("@", "~40")}
    world.advance([documents(GATEWAY + EVERYTHING % ("shop", "{}") + "  path: /api/{service}\n")], NOW)
    after = world.snapshot.get(ref)
    assert after is not None
    assert after.spec.rules[0].matches[0].path.value == "/api/reviews"


def test_a_document_of_the_same_name_is_not_published_in_its_place() -> None:
    own = """
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec: {ports: [{port: 80}]}
---
"""
    world = world_of(documents(GATEWAY + own + EVERYTHING % ("shop", "{}")), registered("reviews", {"1": {}}))
    (route,) = world.snapshot.of_kind(GATEWAY_API, "HTTPRoute")
    assert route.spec.rules[0].backend_refs[0].name == "reviews@consul"


def test_a_missing_gateway_is_told_once_and_of_the_publication() -> None:
    world = world_of(
        documents(GATEWAY + EVERYTHING % ("shopp", "{}")), registered("a", {"1": {}}), registered("b", {"1": {}})
    )
    (found,) = world.diagnostics
    assert found.object == PUBLICATION
    assert found.field == ("spec", "parentRefs", 0, "name")
    assert "shopp" in found.reason
    accepted = condition(world.resolution.statuses[PUBLICATION].conditions, "Accepted")
    assert accepted is not None
    assert (accepted.status, accepted.reason) == ("False", "NoMatchingParent")


def test_status_tells_how_many_and_whether_they_are_served() -> None:
    world = world_of(documents(GATEWAY + EVERYTHING % ("shop", "{}")))
    status = world.resolution.statuses[PUBLICATION]
    assert status.extra == (("publishedServices", 0),)
    accepted = condition(status.conditions, "Accepted")
    assert accepted is not None
    assert accepted.message == "No service that is registered in namespace 'default' is meant"
    world.advance([registered("a", {"1": {}}), registered("b", {"1": {}})], NOW)
    status = world.resolution.statuses[PUBLICATION]
    assert status.extra == (("publishedServices", 2),)
    accepted = condition(status.parents[0].conditions, "Accepted")
    assert accepted is not None
    assert accepted.status == "True"


def test_two_services_at_one_place_are_told() -> None:
    text = GATEWAY + EVERYTHING % ("shop", "{}") + "  trimPrefix: go.\n"
    world = world_of(documents(text), registered("a", {"1": {}}), registered("go.a", {"1": {}}))
    (found,) = world.diagnostics
    assert found.code.id == "SMP0330"
    assert found.object == PUBLICATION


def test_a_prefix_may_leave_out_what_follows_it() -> None:
    for more in ('hostnames: ["{service}.example.com"]', "path: /{service}"):
        text = GATEWAY + EVERYTHING % ("shop", "{}") + f"  trimPrefix: go.micro.api\n  {more}\n"
        world = world_of(documents(text), registered("go.micro.api.greeter", {"1": {}}))
        (route,) = world.snapshot.of_kind(GATEWAY_API, "HTTPRoute")
        assert (*route.spec.hostnames, route.spec.rules[0].matches[0].path.value)[0] in (
            "greeter.example.com",
            "/greeter",
        )


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ('hostnames: ["{service}"]', "10.0.0.1"),
        (f'hostnames: ["{"{service}." * 10}example.com"]', "a" * 63),
        (f"path: {'/{service}' * 50}", "a" * 63),
    ],
)
def test_a_name_that_makes_no_place_is_told_and_harms_no_other(place: str, name: str) -> None:
    text = GATEWAY + EVERYTHING % ("shop", "{}") + f"  {place}\n"
    world = world_of(documents(text), registered("web", {"1": {}}), registered(name, {"1": {}}))
    assert routes(world) == {"all:web"}
    (found,) = world.diagnostics
    assert found.code.id == "SMP0332"
    assert found.object == PUBLICATION
    assert found.reason.startswith(f"{name} would be at ")
    world.advance([registered(name, {})], NOW)
    assert not world.diagnostics


def test_a_mistake_of_our_own_changes_nothing_and_what_comes_later_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_of(documents(GATEWAY + EVERYTHING % ("shop", "{}")), registered("reviews", {"1": {}}))
    before = world.resolution
    with monkeypatch.context() as broken:
        broken.setattr(Publication, "place", lambda *_: 1 / 0)
        step = world.advance([registered("ratings", {"1": {}})], NOW)
    assert not step.resolved
    assert world.resolution is before
    assert [item.code.id for item in world.diagnostics] == ["SMP0603"]
    world.advance([registered("details", {"1": {}})], NOW)
    assert routes(world) == {"all:reviews", "all:ratings", "all:details"}
    assert world.diagnostics == ()
