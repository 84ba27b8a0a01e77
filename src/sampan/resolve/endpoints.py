"""Which instances serve an upstream: those of EndpointSlices, Backends and a registry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, Protocol

from sampan.documents.kinds.backend import Backend
from sampan.documents.kinds.instance import KIND as INSTANCE
from sampan.documents.kinds.instance import Instance
from sampan.documents.kinds.service import EndpointConditions, EndpointSlice, Service, ServicePort
from sampan.model.meta import Object
from sampan.model.names import Ref, resource_name
from sampan.model.plan import Endpoint, EndpointGroup, Upstream
from sampan.model.snapshot import IndexKey, Snapshot
from sampan.resolve.index import COMMON_LABELS, labelled, slices_of, telling

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
        return holds_names(found.spec)
    if any(item.spec.address_type == "FQDN" for item in world.bucket(slices_of(owner.namespace, owner.name))):
        return True
    return any(holds_names(item.spec) for item in selected(world, found))


def holds_names(spec: Backend | Instance) -> bool:
    if isinstance(spec, Instance):
        return bool(spec.hostname)
    return spec.external_hostname is not None or any(item.hostname for item in spec.endpoints)


def service_port(service: Service, port: int) -> ServicePort | None:
    """The Service's TCP port of that number, or its port of another transport, or None."""
    found = [item for item in service.ports if item.port == port]
    return next((item for item in found if item.protocol == "TCP"), found[0] if found else None)


def selects(service: Service, labels: Mapping[str, str]) -> bool:
    """Whether a Service takes an instance with these labels. One without a selector takes none."""
    return bool(service.selector) and all(labels.get(key) == value for key, value in service.selector.items())


def selected(world: World, found: Object) -> list[Object]:
    """The Backends and Instances that a Service takes, found through the rarest label of its selector."""
    service: Service = found.spec
    if not service.selector:
        return []
    namespace = found.ref.namespace
    pairs = telling(service.selector)
    candidates = min((world.bucket(labelled(namespace, *pair)) for pair in pairs), key=len)
    taken = [item for item in candidates if selects(service, item.meta.labels)]
    if pairs[0][0] in COMMON_LABELS:
        instances = (item for item in world.bucket(INSTANCE) if item.ref.namespace == namespace)
        taken += [item for item in instances if selects(service, item.meta.labels)]
    return taken


def _of_service(world: World, found: Object, number: int) -> Iterator[Endpoint]:
    service: Service = found.spec
    port = service_port(service, number)
    if port is None:
        return
    for item in world.bucket(slices_of(found.ref.namespace, found.ref.name)):
        yield from _of_slice(item.spec, port, service.publish_not_ready_addresses)
    for item in selected(world, found):
        if isinstance(item.spec, Instance):
            yield from _of_instance(item.spec, service.publish_not_ready_addresses)
        elif _goes_with(item.spec, port):
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


def _of_instance(instance: Instance, all_ready: bool) -> Iterator[Endpoint]:
    """At its own port, whatever the Service's port or target port: where it listens, only the registry knows."""
    if instance.weight:
        state: State = "ready" if all_ready else instance.state
        yield Endpoint(instance.place, instance.port, instance.weight, state, instance.zone, instance.region)


def _ordered(endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    by_place: dict[tuple[str, int], Endpoint] = {}
    for item in endpoints:
        by_place.setdefault((item.address, item.port), item)
    return tuple(item for _, item in sorted(by_place.items()))
