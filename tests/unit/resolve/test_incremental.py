"""Resolving the next snapshot with a memo gives what resolving it from nothing gives, and leaves the rest as it was."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping
from typing import Any

import pytest
from resolve_pem import secret
from resolve_policies import KINDS, POLICIES
from resolve_world import GATEWAY, World, objects, service

from sampan.model.meta import Object
from sampan.model.names import CORE, DISCOVERY, GATEWAY_API, Ref
from sampan.model.plan import HttpApplication, Plan
from sampan.resolve import Resolution


def deep(value: Any) -> Any:
    """By value: dataclasses that compare by identity become comparable."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return (type(value).__name__, *(deep(getattr(value, field.name)) for field in dataclasses.fields(value)))
    if isinstance(value, tuple):
        return tuple(map(deep, value))
    if isinstance(value, Mapping):
        return {key: deep(item) for key, item in value.items()}
    if isinstance(value, (list, set, frozenset)):
        raise TypeError(f"{value!r} is not frozen")
    return value


def deep_resolution(resolution: Resolution) -> Any:
    return (deep(resolution.plans), deep(resolution.statuses), resolution.diagnostics)


HOSTS = [
    "a.example.com",
    "b.example.com",
    "*.example.com",
    "*.a.example.com",
    "x.a.example.com",
    "other.test",
    "b.test",
]
LISTENERS = [
    "{name: plain, port: 8080, protocol: HTTP}",
    '{name: wild, port: 8080, protocol: HTTP, hostname: "*.example.com", allowedRoutes: {namespaces: {from: All}}}',
    "{name: exact, port: 8080, protocol: HTTP, hostname: a.example.com}",
    "{name: other, port: 8081, protocol: HTTP}",
    "{name: tcp, port: 9000, protocol: TCP}",
    "{name: tls, port: 9443, protocol: TLS, tls: {mode: Passthrough}}",
    '{name: tls-wild, port: 9443, protocol: TLS, hostname: "*.example.com", tls: {mode: Passthrough}}',
]
LISTENERS += [
    "{name: https, port: 9444, protocol: HTTPS, tls: {certificateRefs: [{name: x}]}}",
    '{name: https-wild, port: 9444, protocol: HTTPS, hostname: "*.example.com", tls: {certificateRefs: [{name: y}]}}',
    "{name: https-exact, port: 9444, protocol: HTTPS, hostname: a.example.com, tls: {certificateRefs: [{name: x}]}}",
    "{name: end, port: 9443, protocol: TLS, hostname: b.test, tls: {mode: Terminate, certificateRefs: [{name: y}]}}",
]
TIMES = ["", "", "2025-01-01T00:00:00Z", "2025-02-01T00:00:00Z"]


class Chance:
    """Random documents, small enough that they meet."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def step(self) -> dict[Ref, Object | None]:
        changes: dict[Ref, Object | None] = {}
        for _ in range(self.random.choice([1, 1, 1, 2, 5])):
            maker = self.random.choice(
                [
                    self.gateway,
                    self.service,
                    self.slice,
                    self.namespace,
                    self.grant,
                    self.policy,
                    self.secret,
                    *[self.route] * 5,
                ]
            )
            ref, text = maker()
            changes[ref] = None if self.random.random() < 0.2 else objects(text, kinds=KINDS)[ref]
        return changes

    def some(self, items: list[str], least: int = 0) -> list[str]:
        return self.random.sample(items, self.random.randint(least, len(items)))

    def meta(self, name: str, namespace: str = "default") -> str:
        created = self.random.choice(TIMES)
        stamp = f', creationTimestamp: "{created}"' if created else ""
        return f"metadata: {{name: {name}, namespace: {namespace}{stamp}}}"

    def gateway(self) -> tuple[Ref, str]:
        name = self.random.choice(["web", "edge"])
        listeners = "\n".join(f"  - {item}" for item in self.some(LISTENERS, 1))
        return (
            Ref(GATEWAY_API, "Gateway", "default", name),
            f"""
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
{self.meta(name)}
spec:
  gatewayClassName: {self.random.choice(["sampan", "sampan", "sampan", "none"])}
  listeners:
{listeners}
""",
        )

    def service(self) -> tuple[Ref, str]:
        name, namespace = self.random.choice("abc"), self.random.choice(["default", "default", "far"])
        protocol = self.random.choice(["", "kubernetes.io/h2c", "tcp", "https"])
        return Ref(CORE, "Service", namespace, name), service(
            name, self.random.choice([80, 81]), "", namespace, protocol
        )

    def slice(self) -> tuple[Ref, str]:
        name = self.random.choice("abc")
        return (
            Ref(DISCOVERY, "EndpointSlice", "default", name),
            f"""
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: {self.random.choice(["IPv4", "FQDN"])}
ports: [{{name: main, port: 8080}}]
endpoints: []
""",
        )

    def secret(self) -> tuple[Ref, str]:
        name = self.random.choice("xy")
        text = secret(name, tls_key="nonsense\n") if self.random.random() < 0.2 else secret(name)
        return Ref(CORE, "Secret", "default", name), text

    def namespace(self) -> tuple[Ref, str]:
        return Ref(CORE, "Namespace", "", "far"), "apiVersion: v1\nkind: Namespace\nmetadata: {name: far}\n"

    def grant(self) -> tuple[Ref, str]:
        kind = self.random.choice(["HTTPRoute", "GRPCRoute"])
        return (
            Ref(GATEWAY_API, "ReferenceGrant", "far", "grant"),
            f"""
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {{name: grant, namespace: far}}
spec:
  from: [{{group: gateway.networking.k8s.io, kind: {kind}, namespace: default}}]
  to: [{{group: "", kind: Service}}]
""",
        )

    def policy(self) -> tuple[Ref, str]:
        name = self.random.choice("pq")
        kind = self.random.choice(["Speed", "BackendTLSPolicy"])
        target = self.random.choice(
            [
                "{group: gateway.networking.k8s.io, kind: Gateway, name: web}",
                "{group: gateway.networking.k8s.io, kind: Gateway, name: web, sectionName: plain}",
                "{group: gateway.networking.k8s.io, kind: HTTPRoute, name: h1}",
                '{group: "", kind: Service, name: a}',
                '{group: "", kind: Service, name: a, sectionName: main}',
            ]
        )
        if kind == "Speed":
            return (
                Ref("sampan.dev", kind, "default", name),
                f"""
apiVersion: sampan.dev/v1alpha1
kind: Speed
{self.meta(name)}
spec:
  targetRefs: [{target}]
  limit: {self.random.randint(1, 3)}
""",
            )
        return (
            Ref(GATEWAY_API, kind, "default", name),
            f"""
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
{self.meta(name)}
spec:
  targetRefs: [{target}]
  validation: {{hostname: a.test, wellKnownCACertificates: System}}
""",
        )

    def route(self) -> tuple[Ref, str]:
        kind = self.random.choice(["HTTPRoute", "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute"])
        name = kind[0].lower() + self.random.choice("123")
        if kind == "TCPRoute":
            name = "c" + name
        sections = self.some(["plain", "wild", "exact", "tcp", "tls", "tls-wild", "https", "https-wild", "end", "none"])
        parents = [f"{{name: web, sectionName: {item}}}" for item in sections] or ["{name: web}", "{name: edge}"]
        hosts = f"\n  hostnames: {self.hosts(kind)}" if kind != "TCPRoute" else ""
        rules = 1 if kind in ("TLSRoute", "TCPRoute") else self.random.randint(1, 3)
        return (
            Ref(GATEWAY_API, kind, "default", name),
            f"""
apiVersion: gateway.networking.k8s.io/v1
kind: {kind}
{self.meta(name)}
spec:
  parentRefs: [{", ".join(parents)}]{hosts}
  rules:
{"".join(self.rule(kind) for _ in range(rules))}
""",
        )

    def hosts(self, kind: str) -> str:
        return str([*self.some(HOSTS, 1 if kind == "TLSRoute" else 0)]).replace("'", '"')

    def rule(self, kind: str) -> str:
        references = [self.reference() for _ in range(self.random.randint(1, 2))]
        rule = f"  - backendRefs: [{', '.join(references)}]\n"
        if kind == "HTTPRoute":
            path = self.random.choice(["/", "/a", "/a/b", "/b"])
            type_ = self.random.choice(["PathPrefix", "Exact"])
            rule += f"    matches: [{{path: {{type: {type_}, value: {path}}}}}]\n"
        return rule

    def reference(self) -> str:
        far = ", namespace: far" if self.random.random() < 0.3 else ""
        return f"{{name: {self.random.choice('abcd')}, port: {self.random.choice([80, 81])}{far}}}"


@pytest.mark.parametrize("seed", range(12))
def test_a_memo_changes_nothing_but_the_cost(seed: int) -> None:
    chance = Chance(seed)
    world = World(GATEWAY, policies=POLICIES, kinds=KINDS)
    for _ in range(25):
        world.change(chance.step())
        assert deep_resolution(world.resolution) == deep_resolution(world.fresh())


def parts(plan: Plan) -> dict[Any, Any]:
    """All parts of a Plan that later stages compare by identity, by where they are."""
    found: dict[Any, Any] = {"plan": plan}
    for socket in plan.sockets:
        found["socket", socket.name] = socket
        for chain in socket.chains:
            # Another listener's parts are other parts, even where they say the same.
            at = (chain.name, chain.listeners)
            found["chain", at] = chain
            found["application", at] = chain.application
            for host in getattr(chain.application, "hosts", ()):
                found["host", at, host.name] = host
                for index, entry in enumerate(host.entries):
                    line = (at, host.name, index, entry.action.name)
                    found["entry", line] = entry
                    found["action", line] = entry.action
                    for number, share in enumerate(entry.action.shares):
                        found["share", line, number] = share
    found.update((("upstream", name), item) for name, item in plan.upstreams.items())
    return found


@pytest.mark.parametrize("seed", range(6))
def test_parts_that_came_out_the_same_are_the_same_objects(seed: int) -> None:
    chance = Chance(100 + seed)
    world = World(GATEWAY, policies=POLICIES, kinds=KINDS)
    for _ in range(25):
        before = {view: parts(plan) for view, plan in world.resolution.plans.items()}
        world.change(chance.step())
        for view, plan in world.resolution.plans.items():
            for place, part in parts(plan).items():
                former = before.get(view, {}).get(place)
                if former is not None and deep(former) == deep(part):
                    assert former is part, place


def many(count: int) -> list[str]:
    texts = [GATEWAY]
    for index in range(count):
        texts += [service(f"s{index}"), route(index)]
    return texts


def route(index: int, path: str = "/") -> str:
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: r{index}}}
spec:
  parentRefs: [{{name: web}}]
  hostnames: [h{index}.example.com]
  rules:
  - matches: [{{path: {{value: {path}}}}}]
    backendRefs: [{{name: s{index}, port: 80}}]
"""


def test_one_changed_route_leaves_all_other_parts_the_same_objects() -> None:
    world = World(*many(5))
    before = world.plan()
    world.apply(route(3, "/new"))
    after = world.plan()
    assert after is not before
    assert after.upstreams is before.upstreams
    old, new = before.sockets[0].chains[0].application, after.sockets[0].chains[0].application
    assert isinstance(old, HttpApplication)
    assert isinstance(new, HttpApplication)
    changed = [b.domain for a, b in zip(old.hosts, new.hosts, strict=True) if a is not b]
    assert changed == ["h3.example.com"]


def test_nothing_changed_gives_the_same_plan() -> None:
    world = World(*many(3))
    before = world.resolution
    world.apply()
    assert world.plan() is next(iter(before.plans.values()))
    assert world.resolution.plans is before.plans


def test_a_document_that_says_the_same_again_changes_no_part() -> None:
    world = World(*many(3))
    before = world.plan()
    world.apply(*many(3))
    assert world.plan() is before


def test_endpoints_are_no_part_of_a_plan() -> None:
    world = World(*many(2))
    before = world.plan()
    world.apply("""
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: s1-x, labels: {kubernetes.io/service-name: s1}}
addressType: IPv4
ports: [{name: main, port: 8080}]
endpoints: [{addresses: [127.0.0.1]}]
""")
    assert world.plan() is before


def test_a_changed_service_leaves_the_routes_to_it_as_they_were() -> None:
    world = World(*many(3))
    before = world.plan()
    world.apply(service("s1", app_protocol="kubernetes.io/h2c"))
    after = world.plan()
    assert after.sockets == before.sockets
    changed = [name for name in after.upstreams if after.upstreams[name] is not before.upstreams[name]]
    assert changed == ["service/default/s1/80"]
    assert after.upstreams["service/default/s1/80"].protocol == "http2"


def test_upstreams_that_nobody_uses_go() -> None:
    world = World(*many(2))
    world.delete("HTTPRoute", "r1")
    assert list(world.plan().upstreams) == ["service/default/s0/80"]


def test_a_gateway_that_goes_takes_its_plan_and_status_along() -> None:
    world = World(*many(1))
    world.delete("Gateway", "web")
    assert not world.resolution.plans
    assert not world.resolution.statuses
    assert [item.code.id for item in world.said()] == ["SMP0314"]
    world.apply(GATEWAY)
    assert deep_resolution(world.resolution) == deep_resolution(world.fresh())
