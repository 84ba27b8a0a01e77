"""HTTPRoutes: parents and backends that are there, that are not, and that need permission."""

from __future__ import annotations

import pytest

from .marks import case
from .settled import TAKEN, until_refused
from .stage import Stage
from .world import Document, World, free_port, gateway, grant, http_listener, http_route, route, service, to

pytestmark = pytest.mark.envoy

ROUTES = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute"}


class Elsewhere:
    """Another namespace with the Services `web-1` and `web-2`."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.namespace = stage.world.namespace()
        stage.files.append(self.namespace)
        for name in ("web-1", "web-2"):
            port = stage.world.backends.http(self.backend(name))
            stage.basis += service(self.namespace, name, port)

    def backend(self, name: str = "web-1") -> str:
        return f"{self.namespace}-{name}"

    def reference(self, name: str = "web-1") -> Document:
        return {"name": name, "namespace": self.namespace, "port": 8080}

    def allow(self, **more: str) -> Document:
        """The grant that is needed, or one with other fields (`from_kind`, `to_name`, …)."""
        origin = {**ROUTES, "namespace": self.stage.namespace}
        target = {"group": "", "kind": "Service", "name": "web-1"}
        for key, value in more.items():
            side, _, field = key.partition("_")
            if side in ("from", "to"):
                (origin if side == "from" else target)[field] = value
        return grant(more.get("namespace", self.namespace), more.get("name", "grant"), origin, target)


@pytest.fixture
def elsewhere(stage: Stage) -> Elsewhere:
    return Elsewhere(stage)


def refused(stage: Stage, reason: str, name: str = "route", namespace: str = "", gateway_name: str = "same") -> None:
    until_refused(stage.world, "HTTPRoute", namespace or stage.namespace, name, reason, gateway_name, stage.namespace)


def resolved(stage: Stage, status: str, reason: str, name: str = "route", namespace: str = "") -> None:
    stage.world.until_route("HTTPRoute", namespace or stage.namespace, name, "ResolvedRefs", status, reason)


@case("HTTPRouteCrossNamespace")
def test_a_route_from_another_namespace(stage: Stage, elsewhere: Elsewhere) -> None:
    port = free_port()
    labels = {"gateways": f"of-{stage.namespace}"}
    selector = {"from": "Selector", "selector": {"matchLabels": labels}}
    listener = http_listener(port, allowedRoutes={"namespaces": selector})
    parents = [{"name": "some", "namespace": stage.namespace}]
    found = route("HTTPRoute", elsewhere.namespace, "route", parents, [to("web-1")])
    about = {"name": elsewhere.namespace, "labels": labels}
    stage.world.apply(elsewhere.namespace, {"apiVersion": "v1", "kind": "Namespace", "metadata": about})
    stage.apply(gateway(stage.namespace, "some", listener), found)
    stage.world.until_backend(elsewhere.backend(), port)


@case("HTTPRouteDisallowedKind")
def test_a_listener_for_another_kind(stage: Stage) -> None:
    only = {"namespaces": {"from": "Same"}, "kinds": [{"kind": "TLSRoute"}]}
    listener = {
        "name": "tls",
        "port": free_port(),
        "protocol": "TLS",
        "tls": {"mode": "Passthrough"},
        "allowedRoutes": only,
    }
    stage.write(
        gateway(stage.namespace, "tls-only", listener), http_route(stage.namespace, "disallowed", "tls-only", to("a"))
    )
    resolved(stage, "True", "ResolvedRefs", "disallowed")
    refused(stage, "NotAllowedByListeners", "disallowed", gateway_name="tls-only")


@case("HTTPRouteInvalidBackendRefUnknownKind")
def test_a_backend_of_an_unknown_kind(stage: Stage) -> None:
    odd = {"group": "unknown.example", "kind": "Nonexistent", "name": "a", "port": 8080}
    stage.write(found := stage.route(to(odd)))
    stage.settled(found, routes=TAKEN)
    resolved(stage, "False", "InvalidKind")
    stage.expect(500, "/v2")


@case("HTTPRouteInvalidCrossNamespaceBackendRef")
def test_a_backend_elsewhere_without_a_grant(stage: Stage, elsewhere: Elsewhere) -> None:
    stage.write(found := stage.route(to(elsewhere.reference())))
    stage.settled(found, routes=TAKEN)
    resolved(stage, "False", "RefNotPermitted")
    stage.expect(500)


@case("HTTPRouteInvalidCrossNamespaceParentRef")
def test_a_gateway_elsewhere_that_does_not_let_in(stage: Stage, elsewhere: Elsewhere) -> None:
    parents = [{"name": "same", "namespace": stage.namespace}]
    stage.write(route("HTTPRoute", elsewhere.namespace, "route", parents, [to("web-1")]))
    stage.settled()
    resolved(stage, "True", "ResolvedRefs", namespace=elsewhere.namespace)
    refused(stage, "NotAllowedByListeners", namespace=elsewhere.namespace)


@case("HTTPRouteInvalidNonExistentBackendRef")
def test_a_backend_that_does_not_exist(stage: Stage) -> None:
    stage.write(found := stage.route(to("nonexistent")))
    stage.settled(found, routes=TAKEN)
    resolved(stage, "False", "BackendNotFound")
    stage.expect(500)


def with_parent(stage: Stage, **parent: object) -> Document:
    return route("HTTPRoute", stage.namespace, "route", [{"name": "same", **parent}], [to("a")])


@case("HTTPRouteInvalidParentRefNotMatchingListenerPort")
def test_no_listener_has_that_port(stage: Stage) -> None:
    stage.write(with_parent(stage, port=81))
    resolved(stage, "True", "ResolvedRefs")
    refused(stage, "NoMatchingParent")


@case("HTTPRouteInvalidParentRefNotMatchingSectionName")
def test_no_listener_has_that_name(stage: Stage) -> None:
    stage.write(with_parent(stage, port=stage.port, sectionName="http1"))
    refused(stage, "NoMatchingParent")


@case("HTTPRouteInvalidParentRefSectionNameNotMatchingPort")
def test_the_listener_of_that_name_has_another_port(stage: Stage) -> None:
    stage.write(with_parent(stage, port=81, sectionName="http"))
    refused(stage, "NoMatchingParent")


@case("HTTPRouteInvalidReferenceGrant")
def test_grants_that_are_wrong_in_one_point_each(stage: Stage, elsewhere: Elsewhere) -> None:
    wrong = [
        {"namespace": stage.namespace},
        {"from_group": "other.example"},
        {"from_kind": "Gateway"},
        {"from_namespace": "other"},
        {"to_group": "other.example"},
        {"to_kind": "Secret"},
        {"to_name": "other"},
    ]
    grants = [elsewhere.allow(name=f"wrong-{number}", **fields) for number, fields in enumerate(wrong)]
    found = stage.route(to(elsewhere.reference()))
    stage.write(*grants, found)
    stage.settled(found, routes=TAKEN)
    resolved(stage, "False", "RefNotPermitted")
    stage.expect(500)


@case("HTTPRouteReferenceGrant")
def test_a_grant_lets_and_its_end_forbids(stage: Stage, elsewhere: Elsewhere) -> None:
    found = stage.route(to(elsewhere.reference()))
    stage.apply(elsewhere.allow(), found)
    stage.world.until_backend(elsewhere.backend(), stage.port)
    stage.write(found)
    resolved(stage, "False", "RefNotPermitted")
    stage.expect(500)


@case("HTTPRoutePartiallyInvalidViaInvalidReferenceGrant")
def test_a_grant_for_one_of_two_backends(stage: Stage, elsewhere: Elsewhere) -> None:
    matches = [{"path": {"type": "PathPrefix", "value": "/v2"}}]
    found = stage.route(to(elsewhere.reference("web-2"), matches=matches), to(elsewhere.reference("web-1")))
    stage.write(elsewhere.allow(), found)
    stage.settled(found, routes=TAKEN)
    resolved(stage, "False", "RefNotPermitted")
    stage.expect(500, "/v2")
    stage.world.until_backend(elsewhere.backend("web-1"), stage.port)


@pytest.fixture
def second_port(stage: Stage) -> int:
    port = free_port()
    stage.basis.append(gateway(stage.namespace, "second", http_listener(port, routes="All")))
    return port


@case("HTTPRouteMultipleGateways")
def test_a_route_with_two_gateways(stage: Stage, second_port: int) -> None:
    shared = [{"path": {"type": "PathPrefix", "value": "/shared"}}]
    both = route(
        "HTTPRoute", stage.namespace, "both", [{"name": "same"}, {"name": "second"}], [to("a", matches=shared)]
    )
    stage.apply(
        both, stage.route(to("b"), name="first-only"), http_route(stage.namespace, "second-only", "second", to("c"))
    )
    stage.expect("a", "/shared")
    stage.expect("b", "/")
    stage.expect("a", "/shared", port=second_port)
    stage.expect("c", "/", port=second_port)


@case("HTTPRouteNamedRule")
def test_rules_with_and_without_a_name(stage: Stage) -> None:
    stage.apply(
        stage.route(
            to("a", name="named", matches=[{"path": {"type": "PathPrefix", "value": "/named"}}]),
            to("b", matches=[{"path": {"type": "PathPrefix", "value": "/unnamed"}}]),
        )
    )
    stage.expect("a", "/named")
    stage.expect("b", "/unnamed")


@case("HTTPRouteObservedGenerationBump")
def test_conditions_say_which_generation_they_are_of(world: World, stage: Stage) -> None:
    for generation, backend in ((1, "a"), (2, "b")):
        stage.apply(stage.route(to(backend)))
        world.until_generation("HTTPRoute", stage.namespace, "route", generation)
        stage.world.until_route("HTTPRoute", stage.namespace, "route", "Accepted", "True")
        resolved(stage, "True", "ResolvedRefs")
        stage.expect(backend)


@case("HTTPRouteNoBackendRefs")
def test_rules_without_backends(stage: Stage) -> None:
    stage.apply(
        stage.route(
            {"matches": [{"path": {"type": "Exact", "value": "/omitted"}}]},
            {"matches": [{"path": {"type": "Exact", "value": "/empty"}}], "backendRefs": []},
            to("a"),
        )
    )
    stage.expect("a", "/forward")
    stage.expect(500, "/omitted")
    stage.expect(500, "/empty")
