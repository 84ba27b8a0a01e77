"""HTTPRoutes: kinds of Services, weights, timeouts, retries, protocols of backends."""

from __future__ import annotations

import copy
import itertools

import pytest
from websockets.sync.client import connect

from .marks import case, feature
from .shares import assert_shares
from .stage import Stage
from .world import Document, World, document, free_port, service, to

pytestmark = pytest.mark.envoy


def at(path: str, kind: str = "PathPrefix") -> list[Document]:
    return [{"path": {"type": kind, "value": path}}]


@case("HTTPRouteServiceTypes")
def test_services_with_and_without_a_selector_and_an_address(stage: Stage) -> None:
    """What a selector selects in a cluster are Pods; here they are Backends with those labels."""
    port = stage.world.backends.http(stage.backend("types"))
    number = {"name": "first-port", "protocol": "TCP", "port": 8080, "targetPort": 3000}
    documents: list[Document] = []
    for name, spec in (("manual", {}), ("headless-manual", {"clusterIP": "None"})):
        documents.append(document("Service", stage.namespace, name, {"ports": [number], **spec}, "v1"))
        for family, addresses in (("IPv4", ["127.0.0.1"]), ("IPv6", [])):
            labels = {"kubernetes.io/service-name": name}
            documents.append(
                {
                    "apiVersion": "discovery.k8s.io/v1",
                    "kind": "EndpointSlice",
                    "metadata": {"name": f"{name}-{family.lower()}", "namespace": stage.namespace, "labels": labels},
                    "addressType": family,
                    "ports": [{"name": "first-port", "port": port, "protocol": "TCP"}],
                    "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
                }
            )
    selecting = {"clusterIP": "None", "selector": {"app": "types"}, "ports": [number]}
    documents.append(document("Service", stage.namespace, "headless", selecting, "v1"))
    place = {"endpoints": [{"address": "127.0.0.1", "port": port}]}
    documents.append(
        document("Backend", stage.namespace, "instance", place, "sampan.dev/v1alpha1", labels={"app": "types"})
    )
    names = ("manual", "headless", "headless-manual")
    stage.apply(*documents, stage.route(*(to(name, matches=at(f"/{name}", "Exact")) for name in names)))
    for name in names:
        stage.world.until_backend(stage.backend("types"), stage.port, f"/{name}")


@case("HTTPRouteWeight")
def test_weights(stage: Stage) -> None:
    weights = {"a": 70, "b": 30, "c": 0}
    references = [{"name": name, "port": 8080, "weight": weight} for name, weight in weights.items()]
    stage.apply(stage.route(to(*references)))
    stage.expect(200)
    assert_shares(
        lambda: stage.world.ask(stage.port).backend, {stage.backend(name): weight for name, weight in weights.items()}
    )


@case("HTTPRouteTimeoutRequest")
def test_the_timeout_of_a_request(stage: Stage) -> None:
    stage.apply(
        stage.route(
            to("a", matches=at("/limited"), timeouts={"request": "200ms"}),
            to("a", matches=at("/unlimited"), timeouts={"request": "0s"}),
        )
    )
    assert_timeouts(stage)


@case("HTTPRouteTimeoutBackendRequest")
def test_the_timeout_of_a_try(stage: Stage) -> None:
    stage.apply(
        stage.route(
            to("a", matches=at("/limited"), timeouts={"backendRequest": "200ms"}),
            to("a", matches=at("/unlimited"), timeouts={"backendRequest": "0s"}),
        )
    )
    assert_timeouts(stage)


def assert_timeouts(stage: Stage) -> None:
    stage.expect("a", "/limited")
    stage.expect(504, "/limited?delay=0.5")
    stage.expect("a", "/unlimited?delay=0.5")


@case("HTTPRouteRetry")
def test_retries_by_status(stage: Stage) -> None:
    every = [500, 502, 503, 504]
    stage.apply(
        stage.route(
            to("c", matches=at("/one"), retry={"codes": [500], "attempts": 3}),
            to("c", matches=at("/all"), retry={"codes": every, "attempts": 2}),
        )
    )
    stage.expect("c", "/one")
    numbers = itertools.count()
    cases = [("/one", 500, 2, 200), ("/one", 500, 4, 500), ("/one", 503, 2, 503)]
    cases += [("/all", code, 1, 200) for code in every] + [("/all", code, 3, code) for code in every]
    for path, code, times, status in cases:
        for _ in range(3):
            answer = stage.world.ask(stage.port, f"{path}?fail=k{next(numbers)}&times={times}&code={code}")
            assert (answer.status, answer.backend) == (status, stage.backend("c")), (path, code, times)


@feature("HTTPRouteRetryConnectionError")
def test_retries_where_no_connection_is_had(stage: Stage) -> None:
    """Of four endpoints one is there. By itself Sampan tries twice, which would not do here."""
    port = stage.world.backends.http(stage.backend("fourth"))
    found, slice_ = service(stage.namespace, "mostly-gone", port)
    slices = [slice_]
    for number in range(3):
        gone = copy.deepcopy(slice_)
        gone["metadata"]["name"] = f"gone-{number}"
        gone["ports"][0]["port"] = free_port()
        slices.append(gone)
    stage.apply(found, *slices, stage.route(to("mostly-gone", retry={"attempts": 3, "backoff": "1ms"})))
    for _ in range(20):
        answer = stage.world.ask(stage.port)
        assert (answer.status, answer.backend) == (200, stage.backend("fourth"))


@feature("HTTPRouteRetryBackendTimeout")
def test_retries_where_a_try_takes_too_long(stage: Stage) -> None:
    timeouts = {"request": "5s", "backendRequest": "200ms"}
    stage.apply(stage.route(to("a", timeouts=timeouts, retry={"attempts": 1, "backoff": "1ms"})))
    stage.expect("a")
    for late, status in ((1, 200), (2, 504)):
        path = f"/?delay=0.5&late=key-{late}&times={late}"
        assert stage.world.ask(stage.port, path).status == status
        seen = [record for record in stage.world.backends.seen[stage.backend("a")] if record["path"] == path]
        assert len(seen) == 2


@case("HTTPRouteBackendProtocolH2C")
def test_http_2_from_end_to_end(stage: Stage) -> None:
    port = stage.world.backends.h2c(stage.backend("h2c"))
    stage.apply(
        *service(stage.namespace, "h2c", port, app_protocol="kubernetes.io/h2c", number=8081),
        stage.route(to({"name": "h2c", "port": 8081})),
    )
    answer = stage.expect("h2c", http2=True)
    assert answer.body["protocol"] == "HTTP/2"


@case("HTTPRouteBackendProtocolWebSocket")
def test_a_websocket(world: World, stage: Stage) -> None:
    port = world.backends.http(stage.backend("ws"))
    stage.apply(
        *service(stage.namespace, "ws", port, app_protocol="kubernetes.io/ws", number=8082),
        stage.route(to({"name": "ws", "port": 8082})),
    )
    world.until_backend(stage.backend("ws"), stage.port)
    for _ in range(3):
        with connect(f"ws://127.0.0.1:{stage.port}/ws", close_timeout=0.1) as socket:
            socket.send("hello")
            assert socket.recv(timeout=5) == f"{stage.backend('ws')}: hello"
            socket.send(bytes(range(1, 8)))
            assert socket.recv(timeout=5) == bytes(range(1, 8))
