"""Rows that say the same say it with the same objects: instances of one service differ in little.

What JSON gives is a new object for every row. Of 20,000 instances that is half of all memory. Called on a row before
anybody else has it.
"""

from __future__ import annotations

from sys import intern
from typing import Any

from sampan.registry.rows import CheckRow, NodeService, ServiceRow

NOTHING: dict[str, Any] = {}
_ALIKE = ("Service", "Tags", "Address", "Meta", "Weights", "Proxy", "Connect")
_WORDS = ("Node", "Name", "Status", "Type")


def service(row: ServiceRow, sibling: ServiceRow | None) -> None:
    """`sibling` is another instance of the same service."""
    row["Node"] = intern(row["Node"])
    said: dict[str, Any] = row["Service"]  # type: ignore[assignment]
    if sibling is not None and sibling is not row:
        other: dict[str, Any] = sibling["Service"]  # type: ignore[assignment]
        said.update((name, other[name]) for name in _ALIKE if said[name] == other[name])
    addresses = said.get("TaggedAddresses")
    if addresses:
        first = next(iter(addresses.values()))
        addresses.update((name, first) for name, address in addresses.items() if address == first)
        if first["Address"] == said["Address"]:
            first["Address"] = said["Address"]


def check(row: CheckRow, of: NodeService | None) -> None:
    """`of` is the service that it is about."""
    for name in _WORDS:
        row[name] = intern(row[name])  # type: ignore[literal-required]
    if not row["Definition"]:
        row["Definition"] = NOTHING
    if of is not None:
        row["ServiceID"], row["ServiceName"], row["ServiceTags"] = of["ID"], of["Service"], of["Tags"]
