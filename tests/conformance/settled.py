"""What nearly every case begins with: Gateways that are in force, and routes that they took whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .world import Document, Wanted, World, conditions_are, until

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
        kind, about = document["kind"], document["metadata"]
        if kind == "Gateway":
            until(
                lambda about=about: _serves(world.object("Gateway", about["namespace"], about["name"])),
                lambda about=about: world.object("Gateway", about["namespace"], about["name"]),
            )
        elif kind in ROUTES:
            until(
                lambda kind=kind, about=about: _taken(world.object(kind, about["namespace"], about["name"]), routes),
                lambda kind=kind, about=about: world.object(kind, about["namespace"], about["name"]),
            )


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
        reference.get("group", "gateway.networking.k8s.io"),
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


def until_listeners(
    world: World, namespace: str, gateway: str, **wanted: tuple[int, Sequence[str], *tuple[Wanted, ...]]
) -> None:
    """Until the Gateway's status has exactly these listeners: name=(attached routes, supported kinds, conditions…).

    Of the kinds at least these are there; without any there are none. The name `a_b` stands for `a-b`."""
    expected = {name.replace("_", "-"): found for name, found in wanted.items()}

    def right() -> bool:
        item = world.object("Gateway", namespace, gateway)
        generation, status = item["metadata"]["generation"], item.get("status", {})
        listeners = {found["name"]: found for found in status.get("listeners", [])}
        if listeners.keys() != expected.keys() or not conditions_are(status["conditions"], generation, ()):
            return False
        for name, (attached, kinds, *conditions) in expected.items():
            found = listeners[name]
            supported = [kind["kind"] for kind in found["supportedKinds"] if _is_ours(kind)]
            if found["attachedRoutes"] != attached or not conditions_are(found["conditions"], generation, conditions):
                return False
            if not set(kinds) <= set(supported) or (not kinds and found["supportedKinds"]):
                return False
        return True

    until(right, lambda: (expected, world.status("Gateway", namespace, gateway)))


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


def _is_ours(kind: Document) -> bool:
    return str(kind.get("group", "gateway.networking.k8s.io")) == "gateway.networking.k8s.io"
