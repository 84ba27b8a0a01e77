"""TCPRoutes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from .greetings import greeting
from .marks import case
from .settled import TAKEN, WHOLE, Listener, settled, until_listeners, until_refused
from .shares import assert_shares
from .world import Document, Wanted, World, free_port, gateway, grant, http_listener, route, service, until

pytestmark = pytest.mark.envoy


class Tcp:
    """A namespace with a Gateway `tcp` of some TCP listeners `l0`, `l1`, … and services `a`, `b`, `c` that greet."""

    def __init__(self, world: World, listeners: int = 1) -> None:
        self.world = world
        self.namespace = world.namespace()
        self.ports = [free_port() for _ in range(listeners)]
        self.file = f"{self.namespace}-all"
        self.files = [self.namespace, self.file]
        self.basis = [gateway(self.namespace, "tcp", *(listener(f"l{n}", port) for n, port in enumerate(self.ports)))]
        for name in ("a", "b", "c"):
            self.basis += service(self.namespace, name, world.backends.tcp(f"{self.namespace}-{name}"))

    def write(self, *documents: Document, routes: Sequence[Wanted] = ()) -> None:
        """The Gateway is in force then, and the routes have these conditions."""
        self.world.apply(self.file, *self.basis, *documents)
        settled(self.world, (*self.basis, *documents), routes)

    def apply(self, *documents: Document) -> None:
        """The routes are taken whole then."""
        self.write(*documents, routes=WHOLE)

    def route(self, *backends: Document, name: str = "route", created: str = "", **parent: object) -> Document:
        references = [{"port": 8080, **backend} for backend in backends]
        found = route("TCPRoute", self.namespace, name, [{"name": "tcp", **parent}], [{"backendRefs": references}])
        if created:
            found["metadata"]["creationTimestamp"] = created
        return found

    def greeting(self, number: int = 0) -> str:
        """The service that greeted at a listener and gave lines back; "" if the connection was closed without."""
        return greeting(self.ports[number]).removeprefix(f"{self.namespace}-")

    def expect(self, wanted: str, number: int = 0) -> None:
        until(lambda: all(self.greeting(number) == wanted for _ in range(3)), lambda: (wanted, self.greeting(number)))

    def resolved(self, status: str, reason: str, name: str = "route") -> None:
        self.world.until_route("TCPRoute", self.namespace, name, "ResolvedRefs", status, reason)


def listener(name: str, port: int) -> Document:
    return {"name": name, "port": port, "protocol": "TCP", "allowedRoutes": {"kinds": [{"kind": "TCPRoute"}]}}


@pytest.fixture
def tcp(world: World, request: pytest.FixtureRequest) -> Iterator[Tcp]:
    found = Tcp(world, getattr(request, "param", 1))
    yield found
    world.remove(*found.files)


@case("TCPRouteInvalidBackendRefNonexistent")
def test_a_backend_that_does_not_exist(tcp: Tcp) -> None:
    tcp.write(tcp.route({"name": "nonexistent"}, sectionName="l0"))
    tcp.resolved("False", "BackendNotFound")


@case("TCPRouteInvalidCrossNamespaceBackendRef")
def test_a_backend_elsewhere_without_a_grant(tcp: Tcp) -> None:
    other = tcp.world.namespace()
    tcp.files.append(other)
    away = service(other, "away", tcp.world.backends.tcp(f"{other}-away"))
    tcp.write(*away, tcp.route({"name": "away", "namespace": other}, sectionName="l0"), routes=TAKEN)
    tcp.resolved("False", "RefNotPermitted")


@case("TCPRouteReferenceGrant")
def test_a_grant_lets_and_its_end_forbids(tcp: Tcp) -> None:
    other = tcp.world.namespace()
    tcp.files.append(other)
    away = service(other, "away", tcp.world.backends.tcp(f"{tcp.namespace}-away"))
    origin = {"group": "gateway.networking.k8s.io", "kind": "TCPRoute", "namespace": tcp.namespace}
    allow = grant(other, "grant", origin, {"group": "", "kind": "Service", "name": "away"})
    found = tcp.route({"name": "away", "namespace": other}, sectionName="l0")
    tcp.apply(*away, found, allow)
    tcp.expect("away")
    tcp.write(*away, found)
    tcp.resolved("False", "RefNotPermitted")


@case("TCPRouteInvalidNonTCPListener")
def test_a_listener_of_another_protocol(tcp: Tcp) -> None:
    only = {"namespaces": {"from": "Same"}, "kinds": [{"kind": "HTTPRoute"}]}
    tcp.basis[0] = gateway(tcp.namespace, "tcp", http_listener(tcp.ports[0], "l0", allowedRoutes=only))
    tcp.write(tcp.route({"name": "a"}, sectionName="l0"))
    until_refused(tcp.world, "TCPRoute", tcp.namespace, "route", "NotAllowedByListeners", "tcp")


@case("TCPRouteMultipleRoutesAttachment")
def test_of_two_routes_the_older_is_served(tcp: Tcp) -> None:
    """In a cluster the younger is made later; here both say when they were made."""
    younger = tcp.route({"name": "a"}, name="a-younger", created="2026-01-02T00:00:00Z", sectionName="l0")
    older = tcp.route({"name": "b"}, name="b-older", created="2026-01-01T00:00:00Z", sectionName="l0")
    tcp.apply(older)
    tcp.expect("b")
    tcp.apply(older, younger)
    both = Listener(2, ["TCPRoute"], [("Accepted", "True", "Accepted")])
    until_listeners(tcp.world, tcp.namespace, "tcp", {"l0": both})
    tcp.expect("b")
    assert Counter(tcp.greeting() for _ in range(100)) == {"b": 100}


@pytest.mark.parametrize("tcp", [4], indirect=True)
@case("TCPRouteParentRefAttachAll")
def test_a_parent_without_a_section_is_all_its_listeners(tcp: Tcp) -> None:
    tcp.apply(tcp.route({"name": "a"}))
    assert len(tcp.world.parents("TCPRoute", tcp.namespace, "route")) == 1
    for number in range(4):
        tcp.expect("a", number)


@pytest.mark.parametrize("tcp", [3], indirect=True)
@case("TCPRouteParentRefPortAndSectionName")
def test_a_parent_by_port_and_by_section(tcp: Tcp) -> None:
    tcp.apply(
        tcp.route({"name": "a"}, name="by-port", port=tcp.ports[0]),
        tcp.route({"name": "b"}, name="by-section", sectionName="l1"),
        tcp.route({"name": "c"}, name="by-both", sectionName="l2", port=tcp.ports[2]),
    )
    for number, (name, backend) in enumerate((("by-port", "a"), ("by-section", "b"), ("by-both", "c"))):
        assert len(tcp.world.parents("TCPRoute", tcp.namespace, name)) == 1
        tcp.expect(backend, number)


@case("TCPRouteWeightedRouting")
def test_weights(tcp: Tcp) -> None:
    weights = {"a": 70, "b": 30, "c": 0}
    tcp.apply(tcp.route(*({"name": name, "weight": weight} for name, weight in weights.items()), sectionName="l0"))
    until(lambda: tcp.greeting() in ("a", "b"), tcp.greeting)
    assert_shares(tcp.greeting, weights)
