"""A catalogue that was told what `PUT /v1/catalog/register` says, without HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sampan.registry import registry as registries
from sampan.registry.identity import Identity
from sampan.registry.registry import Registry
from sampan.registry.rows import NodeService
from sampan.registry.tables import Write

IDENTITY = Identity("laptop", "6e1ad1a2-1f0c-4a4b-9d3c-8c1f0b9d1c11")


def registry(payloads: Iterable[Mapping[str, Any]] = ()) -> Registry:
    made = registries.build(IDENTITY)
    with made.tables.write() as write:
        for payload in payloads:
            register(made, write, payload)
    return made


def register(made: Registry, write: Write, payload: Mapping[str, Any]) -> None:
    catalog, node = made.catalog, payload["Node"]
    if "Address" in payload:
        tagged = payload.get("TaggedAddresses")
        catalog.register_node(write, node, payload["Address"], meta=payload.get("NodeMeta"), tagged_addresses=tagged)
    if "Service" in payload:
        catalog.register_service(write, node, service(**payload["Service"]))
    for check in payload.get("Checks", ()):
        catalog.register_check(
            write,
            node,
            check["CheckID"],
            name=check["CheckID"],
            status=check["Status"],
            service_id=check.get("ServiceID", ""),
        )


def service(**given: Any) -> NodeService:
    name = given["Service"]
    whole: dict[str, Any] = {
        "ID": name,
        "Tags": [],
        "Address": "",
        "Port": 0,
        "Meta": None,
        "Weights": {"Passing": 1, "Warning": 1},
        "EnableTagOverride": False,
        "Proxy": {},
        "Connect": {},
        "CreateIndex": 0,
        "ModifyIndex": 0,
    }
    return {**whole, **given}  # type: ignore[typeddict-item]
