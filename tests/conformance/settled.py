"""What nearly every case begins with: Gateways that are in force, and routes that they took whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from .world import Document, Wanted, World, conditions_are, until

GROUP = "gateway.networking.k8s.io"
CONTROLLER = "sampan.dev/gateway-controller"
ROUTES = ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute")
IN_FORCE: tuple[Wanted, ...] = (("Accepted", "True", "Accepted"), ("Programmed", "True", "Programmed"))
SERVING: tuple[Wanted, ...] = (("ResolvedRefs", "True", ()), ("Accepted", "True", ()), ("Programmed", "True", ()))
TAKEN: tuple[Wanted, ...] = (("Accepted", "True", "Accepted"),)
WHOLE: tuple[Wanted, ...] = (*TAKEN, ("ResolvedRefs", "True", "ResolvedRefs"))


def settled(world: World, documents: Iterable[Document], routes: Sequence[Wanted] = WHOLE) -> None:
    """Until each Gateway among the documents is in force with an address and all its listeners serve, and each route
    names each of its parents in its status, with those conditions. (`TAKEN`: its backends may be wrong.)"""
    for document in documents:
        if document["kind"] == "Gateway":
            _until(world, document, _serves)
        elif document["kind"] in ROUTES:
            _until(world, document, partial(_taken, wanted=routes))


def _until(world: World, document: Document, right: Callable[[Document], bool]) -> None:
    kind, about = document["kind"], document["metadata"]

    def look() -> Document:
        return world.object(kind, about["namespace"], about["name"])

    until(lambda: right(look()), look)


def _serves(item: Document) -> bool:
    generation, status = item["metadata"]["generation"], item.get("status", {})
    listeners = {found["name"]: found for found in status.get("listeners", [])}
    return (
        listeners.keys() == {found["name"] for found in item["spec"]["listeners"]}
        and any(found.get("type") and found.get("value") for found in status.get("addresses", []))
        and conditions_are(status["conditions"], generation, IN_FORCE)
        and all(conditions_are(found["conditions"], generation, SERVING) for found in listeners.values())
    )


def _taken(item: Document, wanted: Sequence[Wanted]) -> bool:
    generation, namespace = item["metadata"]["generation"], item["metadata"]["namespace"]
    parents = item.get("status", {}).get("parents", [])
    named = sorted(_named(reference, namespace) for reference in item["spec"]["parentRefs"])
    return named == sorted(_named(found["parentRef"], namespace) for found in parents) and all(
        found["controllerName"] == CONTROLLER and conditions_are(found["conditions"], generation, wanted)
        for found in parents
    )


def _named(reference: Document, namespace: str) -> tuple[str, ...]:
    """A parentRef with the defaults that the API gives it."""
    return (
        reference.get("group", GROUP),
        reference.get("kind", "Gateway"),
        reference.get("namespace", namespace),
        reference["name"],
        reference.get("sectionName", ""),
        str(reference.get("port", "")),
    )


def until_refused(
    world: World, kind: str, namespace: str, name: str, reason: str, gateway: str, gateway_namespace: str = ""
) -> None:
    """Not accepted by its only parent, for that reason, and attached to nothing of that Gateway."""
    world.until_route(kind, namespace, name, "Accepted", "False", reason)
    assert len(world.parents(kind, namespace, name)) == 1

    def attached() -> list[int]:
        listeners = world.status("Gateway", gateway_namespace or namespace, gateway).get("listeners", [])
        return [found["attachedRoutes"] for found in listeners]

    until(lambda: set(attached()) <= {0}, attached)


class Listener(NamedTuple):
    """What a Gateway's status says of one. Of the kinds at least these are supported; if () none at all."""

    attached: int
    kinds: Sequence[str]
    conditions: Sequence[Wanted]


def until_listeners(world: World, namespace: str, gateway: str, wanted: Mapping[str, Listener]) -> None:
    """Until the Gateway's status has exactly these listeners, by name."""

    def right() -> bool:
        item = world.object("Gateway", namespace, gateway)
        generation, status = item["metadata"]["generation"], item.get("status", {})
        found = {listener["name"]: listener for listener in status.get("listeners", [])}
        return (
            found.keys() == wanted.keys()
            and conditions_are(status["conditions"], generation, ())
            and all(_is(found[name], generation, listener) for name, listener in wanted.items())
        )

    until(right, lambda: (wanted, world.status("Gateway", namespace, gateway)))


def _is(found: Document, generation: int, wanted: Listener) -> bool:
    supported = {(kind.get("group", GROUP), kind["kind"]) for kind in found["supportedKinds"]}
    return (
        found["attachedRoutes"] == wanted.attached
        and ({(GROUP, kind) for kind in wanted.kinds} <= supported if wanted.kinds else not supported)
        and conditions_are(found["conditions"], generation, wanted.conditions)
    )


def until_policy(world: World, namespace: str, name: str, gateway: str, *wanted: Wanted) -> None:
    """Until a BackendTLSPolicy has these conditions for that Gateway of its namespace."""

    def pick(status: Document) -> list[list[Document]]:
        ancestors = [found for found in status.get("ancestors", []) if found["controllerName"] == CONTROLLER]
        return [
            found["conditions"]
            for found in ancestors
            if found["ancestorRef"]["name"] == gateway and found["ancestorRef"].get("namespace", namespace) == namespace
        ]

    world.until_condition("BackendTLSPolicy", namespace, name, pick, *wanted)
