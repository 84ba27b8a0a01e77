"""Which services there are, each with the tags that its instances have.

Every client that watches all services asks for it at every registration: it is made anew for those services alone whose
instances have changed since (18 ms for all of 20,000 instances).
"""

from __future__ import annotations

from collections.abc import Iterable

from sampan.registry.registered import Registered
from sampan.registry.rows import ServiceRow
from sampan.registry.tables import Write


def of(instances: Iterable[ServiceRow]) -> dict[str, list[str]]:
    found: dict[str, dict[str, None]] = {}
    for row in instances:
        found.setdefault(row["Service"]["Service"], {}).update(dict.fromkeys(row["Service"]["Tags"]))
    return {name: list(tags) for name, tags in found.items()}


class Names:
    """`changed` is a hook of the catalogue's services."""

    def __init__(self, registered: Registered) -> None:
        self._registered = registered
        self._known: dict[str, dict[str, list[str]]] = {}
        self._changed: set[str] | None = None
        """None: nothing is known yet. Lower-cased, as services are found; `_known` has how they are written."""

    def changed(self, _: Write, before: ServiceRow | None, after: ServiceRow | None) -> None:
        """A write that is undone later has changed nothing, and costs no more than if it had."""
        if self._changed is not None:
            self._changed.update(row["Service"]["Service"].lower() for row in (before, after) if row is not None)

    def all(self) -> dict[str, list[str]]:
        names: Iterable[str] = self._registered.names() if self._changed is None else self._changed
        for name in names:
            written = of(self._registered.instances(name))
            if written:
                self._known[name] = written
            else:
                self._known.pop(name, None)
        self._changed = set()
        return {name: tags for written in self._known.values() for name, tags in written.items()}
