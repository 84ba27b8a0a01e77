"""The endpoints' own road: which groups a change touches, and whether it touches anything else.

An endpoint that comes, goes or drains recompiles no route: `groups_touched` names the groups to be looked at again, and
`endpoints.endpoint_group` makes each anew from the snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sampan.documents.kinds.instance import KIND as INSTANCE
from sampan.model.meta import Object
from sampan.model.names import CORE, DISCOVERY, SAMPAN, Ref
from sampan.model.snapshot import Change, Snapshot
from sampan.resolve.endpoints import group_name, has_names, holds_names, selects
from sampan.resolve.index import SERVICE_NAME_LABEL, services_selecting


def groups_touched(change: Change, old: Snapshot, new: Snapshot) -> tuple[frozenset[str], bool]:
    """(names of groups whose endpoints may differ, whether anything else may differ so that a resolve is needed)."""
    touched = _Touched(old, new)
    for ref, pair in change.objects.items():
        items = [item for item in pair if item is not None]
        if (ref.group, ref.kind) == INSTANCE:
            touched.by_labels(items)
        elif (ref.group, ref.kind) == (DISCOVERY, "EndpointSlice"):
            touched.by_slice(items)
        elif (ref.group, ref.kind) == (SAMPAN, "Backend"):
            touched.groups.add(group_name(ref, 0))
            touched.by_labels(items)
            touched.more |= len(items) == 1 or _differ_beside_endpoints(*items)
        else:
            touched.more = True
            if (ref.group, ref.kind) == (CORE, "Service"):
                touched.groups.update(_groups_of(items))
    return frozenset(touched.groups), touched.more


class _Touched:
    """What was found so far. A Service counts if it takes, or took, what changed."""

    def __init__(self, old: Snapshot, new: Snapshot) -> None:
        self.groups: set[str] = set()
        self.more = False
        self._worlds = (old, new)
        self._seen: set[Object] = set()

    def by_labels(self, items: Iterable[Object]) -> None:
        for world in self._worlds:
            for item in items:
                for label in item.meta.labels.items():
                    for found in world.bucket(services_selecting(item.ref.namespace, *label)):
                        if found not in self._seen and selects(found.spec, item.meta.labels):
                            self._take(found)

    def by_slice(self, items: Iterable[Object]) -> None:
        for item in items:
            service = Ref(CORE, "Service", item.ref.namespace, item.meta.labels.get(SERVICE_NAME_LABEL, ""))
            for world in self._worlds:
                found = world.get(service)
                if found is not None and found not in self._seen:
                    self._take(found)

    def _take(self, found: Object) -> None:
        self._seen.add(found)
        self.groups.update(_groups_of((found,)))
        # Names are looked up by Envoy itself, so all endpoints beside one stand in the upstream, which a resolve makes.
        self.more |= any(has_names(world, found.ref) for world in self._worlds)


def _groups_of(services: Iterable[Object]) -> Iterator[str]:
    for item in services:
        for port in item.spec.ports:
            yield group_name(item.ref, port.port)


def _differ_beside_endpoints(before: Object, after: Object) -> bool:
    if before.meta.annotations != after.meta.annotations:
        return True
    if holds_names(before.spec) or holds_names(after.spec):
        return True
    settings = {"endpoints": (), "port": None}
    return bool(before.spec.model_copy(update=settings) != after.spec.model_copy(update=settings))
