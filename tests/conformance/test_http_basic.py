"""HTTPRoutes: the first steps."""

from __future__ import annotations

import pytest

from .marks import case
from .world import World, free_port, gateway, http_listener, http_route, service, to

pytestmark = pytest.mark.envoy


@case("HTTPRouteSimpleSameNamespace")
def test_a_route_in_the_namespace_of_its_gateway(world: World, cleanup: list[str]) -> None:
    namespace, port = world.namespace(), free_port()
    cleanup += [namespace, f"{namespace}-all"]
    backend = world.backends.http("v1")
    world.apply(
        f"{namespace}-all",
        gateway(namespace, "same", http_listener(port)),
        *service(namespace, "v1", backend),
        http_route(namespace, "simple", "same", to("v1")),
    )
    world.until_route("HTTPRoute", namespace, "simple", "Accepted", "True", "Accepted")
    world.until_route("HTTPRoute", namespace, "simple", "ResolvedRefs", "True", "ResolvedRefs")
    world.until_gateway(namespace, "same", "Programmed", "True", "Programmed")
    world.until_backend("v1", port, "/")


@case("HTTPRouteExactPathMatching")
def test_exact_paths(world: World, cleanup: list[str]) -> None:
    namespace, port = world.namespace(), free_port()
    cleanup += [namespace, f"{namespace}-all"]
    world.apply(
        f"{namespace}-all",
        gateway(namespace, "same", http_listener(port)),
        *service(namespace, "v1", world.backends.http("exact-1")),
        *service(namespace, "v2", world.backends.http("exact-2")),
        http_route(
            namespace,
            "exact",
            "same",
            to("v1", matches=[{"path": {"type": "Exact", "value": "/one"}}]),
            to("v2", matches=[{"path": {"type": "Exact", "value": "/two"}}]),
        ),
    )
    world.until_backend("exact-1", port, "/one")
    world.until_backend("exact-2", port, "/two")
    for path in ("/", "/one/example", "/two/", "/Two"):
        world.until_status(404, port, path)
