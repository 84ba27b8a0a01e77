"""Endpoints and their own road: which instances serve an upstream, and whether a change touches nothing else.

An endpoint that comes, goes or drains recompiles no route: `groups_touched` names the groups to be looked at again, and
`endpoint_group` makes each anew from the snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, Protocol

from sampan.documents.kinds.backend import Backend
from sampan.documents.kinds.service import EndpointConditions, EndpointSlice, Service, ServicePort
from sampan.model.meta import Object
from sampan.model.names import CORE, DISCOVERY, SAMPAN, Ref, resource_name
from sampan.model.plan import Endpoint, EndpointGroup, Upstream
from sampan.model.snapshot import Change, IndexKey, Snapshot
from sampan.resolve.index import SERVICE_NAME_LABEL, backends_labelled, services_selecting, slices_of

State = Literal["ready", "draining", "down"]


class World(Protocol):
    """A Snapshot, or a Reader of one."""

    def get(self, ref: Ref) -> Object | None: ...

    def bucket(self, key: IndexKey) -> tuple[Object, ...]: ...


def group_name(owner: Ref, port: int) -> str:
    """`service/default/reviews/8080`, `backend/default/legacy`."""
    if owner.kind == "Service":
        return resource_name("service", owner.namespace, owner.name, port)
    return resource_name("backend", owner.namespace, owner.name)


def endpoint_group(snapshot: Snapshot, upstream: Upstream) -> EndpointGroup:
    """The endpoints of an upstream as they are now; empty if its owner is gone."""
    return EndpointGroup(upstream.group, endpoints_of(snapshot, upstream.owner, upstream.port))


def endpoints_of(world: World, owner: Ref, port: int) -> tuple[Endpoint, ...]:
    """Of a Service's port, or of a Backend; in the order of their addresses, each once."""
    found = world.get(owner)
    if found is None:
        return ()
    if isinstance(found.spec, Backend):
        return _ordered(_of_backend(found.spec))
    if isinstance(found.spec, Service):
        return _ordered(_of_service(world, found, port))
    return ()


def has_names(world: World, owner: Ref) -> bool:
    """Whether some endpoint of a Service or Backend is a DNS name, which Envoy must look up."""
    found = world.get(owner)
    if found is None:
        return False
    if isinstance(found.spec, Backend):
        return _names_in(found.spec)
    if any(item.spec.address_type == "FQDN" for item in world.bucket(slices_of(owner.namespace, owner.name))):
        return True
    return any(_names_in(item.spec) for item in selected(world, found))


def _names_in(backend: Backend) -> bool:
    return backend.external_hostname is not None or any(item.hostname for item in backend.endpoints)


def service_port(service: Service, port: int) -> ServicePort | None:
    """The Service's TCP port of that number, or its port of another transport, or None."""
    found = [item for item in service.ports if item.port == port]
    return next((item for item in found if item.protocol == "TCP"), found[0] if found else None)


def selects(service: Service, labels: Mapping[str, str]) -> bool:
    """Whether a Service takes an instance with these labels. One without a selector takes none."""
    return bool(service.selector) and all(labels.get(key) == value for key, value in service.selector.items())


def selected(world: World, found: Object) -> list[Object]:
    """The Backends that a Service takes, found through the rarest label of its selector."""
    service: Service = found.spec
    if not service.selector:
        return []
    namespace = found.ref.namespace
    buckets = [world.bucket(backends_labelled(namespace, *label)) for label in service.selector.items()]
    return [item for item in min(buckets, key=len) if selects(service, item.meta.labels)]


def _of_service(world: World, found: Object, number: int) -> Iterator[Endpoint]:
    service: Service = found.spec
    port = service_port(service, number)
    if port is None:
        return
    for item in world.bucket(slices_of(found.ref.namespace, found.ref.name)):
        yield from _of_slice(item.spec, port, service.publish_not_ready_addresses)
    for item in selected(world, found):
        if _goes_with(item.spec, port):
            yield from _of_backend(item.spec)


def _goes_with(backend: Backend, port: ServicePort) -> bool:
    """A target port by name takes only Backends whose port has that name; by number all, at their own ports."""
    wanted = port.target_port
    return not isinstance(wanted, str) or (backend.port is not None and backend.port.name == wanted)


def _of_slice(slice_: EndpointSlice, port: ServicePort, all_ready: bool) -> Iterator[Endpoint]:
    number = next(
        (item.port for item in slice_.ports if item.name == port.name and item.protocol == port.protocol), None
    )
    if number is None:
        return
    for item in slice_.endpoints:
        state = "ready" if all_ready else _state(item.conditions)
        # "All addresses are fungible": the first is used (EndpointSlice.endpoints.addresses in Kubernetes).
        yield Endpoint(item.addresses[0], number, 1, state, item.zone)


def _state(conditions: EndpointConditions) -> State:
    """Unknown counts as yes, as Kubernetes says of `ready` and `serving`."""
    if conditions.ready is not False:
        return "ready"
    return "draining" if conditions.serving is not False and conditions.terminating else "down"


def _of_backend(backend: Backend) -> Iterator[Endpoint]:
    for item in backend.instances():
        if item.weight:
            yield Endpoint(item.address or item.hostname or item.unix, item.port or 0, item.weight, "ready", item.zone)


def _ordered(endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    by_place: dict[tuple[str, int], Endpoint] = {}
    for item in endpoints:
        by_place.setdefault((item.address, item.port), item)
    return tuple(item for _, item in sorted(by_place.items()))


# ---- what a change touches


def groups_touched(change: Change, old: Snapshot, new: Snapshot) -> tuple[frozenset[str], bool]:
    """(names of groups whose endpoints may differ, whether anything else may differ so that a resolve is needed)."""
    groups: set[str] = set()
    more = False
    for ref, (before, after) in change.objects.items():
        if (ref.group, ref.kind) == (DISCOVERY, "EndpointSlice"):
            more |= _touched_by_slice(groups, ref.namespace, before, after, (old, new))
        elif (ref.group, ref.kind) == (SAMPAN, "Backend"):
            more |= _touched_by_backend(groups, ref, before, after, (old, new))
        elif (ref.group, ref.kind) == (CORE, "Service"):
            more = True
            groups.update(_groups_of_service(ref, before, after))
        else:
            more = True
    return frozenset(groups), more


def _touched_by_slice(
    groups: set[str], namespace: str, before: Object | None, after: Object | None, worlds: tuple[Snapshot, Snapshot]
) -> bool:
    items = [item for item in (before, after) if item is not None]
    for item in items:
        service = Ref(CORE, "Service", namespace, item.meta.labels.get(SERVICE_NAME_LABEL, ""))
        for world in worlds:
            found = world.get(service)
            if found is not None:
                groups.update(group_name(service, port.port) for port in found.spec.ports)
    # Names are looked up by Envoy itself, so they stand in the upstream, which a resolve makes.
    return any(item.spec.address_type == "FQDN" for item in items)


def _touched_by_backend(
    groups: set[str], ref: Ref, before: Object | None, after: Object | None, worlds: tuple[Snapshot, Snapshot]
) -> bool:
    groups.add(group_name(ref, 0))
    items = [item for item in (before, after) if item is not None]
    for world in worlds:
        for item in items:
            for found in _selecting(world, item):
                groups.update(group_name(found.ref, port.port) for port in found.spec.ports)
    if before is None or after is None or before.meta.annotations != after.meta.annotations:
        return True
    if any(_names_in(item.spec) for item in items):
        return True
    settings = {"endpoints": (), "port": None}
    return bool(before.spec.model_copy(update=settings) != after.spec.model_copy(update=settings))


def _selecting(world: Snapshot, backend: Object) -> Iterator[Object]:
    """The Services that take a Backend."""
    for label in backend.meta.labels.items():
        for found in world.bucket(services_selecting(backend.ref.namespace, *label)):
            if selects(found.spec, backend.meta.labels):
                yield found


def _groups_of_service(ref: Ref, before: Object | None, after: Object | None) -> Iterator[str]:
    for item in (before, after):
        if item is not None:
            for port in item.spec.ports:
                yield group_name(ref, port.port)
