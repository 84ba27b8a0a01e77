"""Policies: where they attach, which value is in force, and what is said of them."""

from __future__ import annotations

import pytest
from resolve_policies import KINDS, POLICIES
from resolve_world import World, gateway, service, words

from sampan.model.plan import Action
from sampan.model.policy import Effective, Level, Policies

GATEWAY = gateway("{name: http, port: 8080, protocol: HTTP}", "{name: other, port: 8081, protocol: HTTP}")
ROUTE = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop}
spec:
  parentRefs: [{name: web}]
  rules:
  - name: buy
    matches: [{path: {value: /buy}}]
    backendRefs: [{name: shop, port: 80}]
  - backendRefs: [{name: shop, port: 80}, {name: plain, port: 80}]
"""
TARGETS = {
    Level.GATEWAY: "kind: Gateway, name: web",
    Level.LISTENER: "kind: Gateway, name: web, sectionName: http",
    Level.ROUTE: "kind: HTTPRoute, name: shop",
    Level.RULE: "kind: HTTPRoute, name: shop, sectionName: buy",
    Level.SERVICE: "kind: Service, name: shop",
}


def policy(name: str, target: str, settings: str, kind: str = "Speed", created: str = "") -> str:
    group = '""' if "Service" in target else "gateway.networking.k8s.io"
    stamp = f', creationTimestamp: "{created}"' if created else ""
    return f"""
apiVersion: sampan.dev/v1alpha1
kind: {kind}
metadata: {{name: {name}{stamp}}}
spec:
  targetRefs: [{{group: {group}, {target}}}]
  {settings}
"""


def make(*texts: str) -> World:
    return World(GATEWAY, service("shop"), service("plain"), ROUTE, *texts, policies=POLICIES, kinds=KINDS)


def action(world: World, index: int = 0, application: str = "http/8080") -> Action:
    return world.host(application=application).entries[index].action


def limit(policies: Policies, field: str = "limit") -> tuple[int | None, Level]:
    speed = policies["Speed"]
    return getattr(speed.value, field), speed.origins[field].level


def test_what_is_shipped_is_in_force_where_nobody_says_otherwise() -> None:
    world = make()
    found = action(world)
    assert limit(found.policies) == (100, Level.SHIPPED)
    assert set(found.policies) == {"Patience", "Speed"}
    assert found.policies is found.shares[0].policies is action(world, 1).policies
    assert str(found.policies["Speed"].origins["limit"]) == "shipped default"


@pytest.mark.parametrize("highest", list(TARGETS))
def test_the_most_specific_level_wins(highest: Level) -> None:
    levels = [level for level in TARGETS if level <= highest]
    world = make(*(policy(level.name.lower(), TARGETS[level], f"limit: {int(level)}") for level in levels))
    buy = action(world)
    assert limit(buy.shares[0].policies) == (int(highest), highest)
    rule_level = min(highest, Level.RULE)
    assert limit(buy.policies) == (int(rule_level), rule_level)
    assert buy.shares[0].policies["Speed"].origins["limit"].object is not None
    # The second rule has no name, and its second backend no policy.
    rest = action(world, 1)
    route_level = min(highest, Level.ROUTE)
    assert limit(rest.policies) == (int(route_level), route_level)
    assert limit(rest.shares[0].policies) == (
        (int(highest), highest) if highest is Level.SERVICE else limit(rest.policies)
    )
    assert limit(rest.shares[1].policies) == limit(rest.policies)
    # The other listener has no policy of its own.
    if highest is Level.LISTENER:
        assert limit(action(world, application="http/8081").policies) == (1, Level.GATEWAY)


def test_fields_are_merged_one_by_one() -> None:
    world = make(
        policy("wide", TARGETS[Level.GATEWAY], "limit: 5\n  burst: 4"),
        policy("narrow", TARGETS[Level.RULE], "limit: 7"),
    )
    found = action(world).policies
    assert limit(found) == (7, Level.RULE)
    assert limit(found, "burst") == (4, Level.GATEWAY)


def test_a_field_of_the_rule_itself_wins_over_all() -> None:
    world = make(policy("p", TARGETS[Level.RULE], "request: 7", "Patience"))
    assert action(world).policies["Patience"].value.request == 7
    world.apply(ROUTE.replace("name: buy", "name: buy\n    timeouts: {request: 3s}"))
    patience = action(world).policies["Patience"]
    assert patience.value.request == 3000
    assert patience.origins["request"].level is Level.INLINE
    assert str(patience.origins["request"]) == "HTTPRoute/default/shop"
    assert action(world, 1).policies["Patience"].value.request == 15_000


def test_applications_and_upstreams_have_their_share() -> None:
    world = make(
        policy("gateway", TARGETS[Level.GATEWAY], "limit: 1"),
        policy("listener", TARGETS[Level.LISTENER], "limit: 2"),
        policy("service", TARGETS[Level.SERVICE], "limit: 5"),
    )
    assert limit(world.http().policies) == (2, Level.LISTENER)
    assert limit(world.http("http/8081").policies) == (1, Level.GATEWAY)
    upstreams = world.plan().upstreams
    assert limit(upstreams["service/default/shop/80"].policies) == (5, Level.SERVICE)
    assert limit(upstreams["service/default/plain/80"].policies) == (1, Level.GATEWAY)


def test_a_kind_without_a_meaning_for_a_route_kind_is_absent() -> None:
    world = make()
    world.apply(ROUTE.replace("HTTPRoute", "GRPCRoute").replace("path: {value: /buy}", "method: {service: Buy}"))
    world.delete("HTTPRoute", "shop")
    assert set(action(world).policies) == {"Speed"}


def test_equal_inputs_give_the_same_objects() -> None:
    world = make(policy("p", TARGETS[Level.GATEWAY], "limit: 1"))
    found: set[int] = {id(action(world, index, f"http/{port}").policies) for index in (0, 1) for port in (8080, 8081)}
    assert len(found) == 1
    assert action(world) is action(world, application="http/8081")
    world.apply(policy("q", TARGETS[Level.LISTENER], "burst: 1"))
    one, other = (action(world, application=f"http/{port}") for port in (8080, 8081))
    assert one is not other
    effective: list[Effective] = [item.policies["Patience"] for item in (one, other)]
    assert effective[0] is effective[1]


def test_the_older_of_two_policies_on_one_target_wins() -> None:
    target = TARGETS[Level.ROUTE]
    world = make(
        policy("a", target, "limit: 1", created="2025-02-01T00:00:00Z"),
        policy("b", target, "limit: 2", created="2025-01-01T00:00:00Z"),
        policy("c", target, "request: 3", "Patience"),
    )
    assert limit(action(world).policies) == (2, Level.ROUTE)
    assert words(world.policy("Speed", "a")) == ("False", "Conflicted")
    assert "Speed/default/b" in world.policy("Speed", "a").message
    assert words(world.policy("Speed", "b")) == ("True", "Accepted")
    assert words(world.policy("Patience", "c")) == ("True", "Accepted")
    assert [(item.code.id, item.field_text) for item in world.said()] == [("SMP0401", "spec.targetRefs[0]")]
    world.delete("Speed", "b", group="sampan.dev")
    assert limit(action(world).policies) == (1, Level.ROUTE)
    assert words(world.policy("Speed", "a")) == ("True", "Accepted")


@pytest.mark.parametrize(
    ("kind", "target", "reason", "code", "field"),
    [
        ("Speed", "kind: HTTPRoute, name: shopp", "TargetNotFound", "SMP0402", "name"),
        ("Speed", "kind: HTTPRoute, name: shop, sectionName: by", "TargetNotFound", "SMP0402", "sectionName"),
        ("Speed", "kind: Gateway, name: web, sectionName: httpp", "TargetNotFound", "SMP0402", "sectionName"),
        ("Speed", "kind: Service, name: shop, sectionName: mein", "TargetNotFound", "SMP0402", "sectionName"),
        ("Speed", "kind: GatewayClass, name: sampan", "Invalid", "SMP0403", "kind"),
        ("Patience", "kind: Service, name: shop", "Invalid", "SMP0403", "kind"),
        ("Patience", "kind: GRPCRoute, name: shop", "Invalid", "SMP0403", "kind"),
    ],
)
def test_targets_that_do_not_take_the_policy(kind: str, target: str, reason: str, code: str, field: str) -> None:
    settings = "limit: 1" if kind == "Speed" else "request: 1"
    world = make(policy("p", target, settings, kind))
    assert words(world.policy(kind, "p")) == ("False", reason)
    (said,) = world.said()
    assert (said.code.id, said.field_text) == (code, f"spec.targetRefs[0].{field}")
    assert said.hint
    if reason == "Invalid":
        assert action(world).shares[0].policies["Patience"].value.request == 15_000


def test_ancestors_are_the_gateways_that_a_policy_has_to_do_with() -> None:
    world = make(
        GATEWAY.replace("name: web", "name: edge").replace("808", "909"),
        policy("service", TARGETS[Level.SERVICE], "limit: 1"),
        policy("gateway", TARGETS[Level.GATEWAY], "limit: 1"),
        policy("idle", "kind: Service, name: plain", "limit: 1"),
    )
    world.apply(ROUTE.replace(", {name: plain, port: 80}", ""))

    def ancestors(name: str) -> list[tuple[str, str]]:
        parents = world.status("Speed", name, group="sampan.dev").ancestors
        return [(item.parent_ref["kind"], item.parent_ref["name"]) for item in parents]

    assert ancestors("service") == [("Gateway", "web")]
    assert ancestors("gateway") == [("Gateway", "web")]
    assert ancestors("idle") == [("Service", "plain")]
    world.apply(ROUTE.replace("[{name: web}]", "[{name: web}, {name: edge}]"))
    assert ancestors("service") == [("Gateway", "edge"), ("Gateway", "web")]
    assert ancestors("idle") == [("Gateway", "edge"), ("Gateway", "web")]


def test_settings_that_do_not_go_together_are_said_of_the_most_specific_policy() -> None:
    world = make(
        policy("wide", TARGETS[Level.GATEWAY], "burst: 50"),
        policy("narrow", TARGETS[Level.ROUTE], "limit: 10"),
    )
    (said,) = world.said()
    assert (said.code.id, said.object and said.object.name, said.field_text) == ("SMP0404", "narrow", "spec.burst")
    assert said.hint == "lower it"
