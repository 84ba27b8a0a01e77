"""What a registry's source would give, made by hand: Instances, and the two Services of each registered name."""

from __future__ import annotations

from typing import Any

from sampan.documents.kinds.instance import KIND, Instance
from sampan.documents.kinds.service import Service, ServicePort
from sampan.documents.kinds.shape import FrozenDict
from sampan.documents.load import Document, Loaded
from sampan.model.meta import Meta, Object, Origin
from sampan.model.names import (
    CORE,
    DATACENTER_LABEL,
    REGISTERED_NAME,
    SERVICE_LABEL,
    SOURCE_LABEL,
    VERSION_LABEL,
    Ref,
    instance_name,
    qualified,
    registered_name,
)

SOURCE = "consul"


def origin(service: str) -> Origin:
    return Origin(SOURCE, f"service {service}")


def instance(
    service: str, address: str = "10.0.0.1", port: int = 8080, version: str = "", labels: Any = None, **more: Any
) -> Document:
    """One instance at `address`, which may be a name or a socket's path too."""
    name = registered_name(service)
    found = {SERVICE_LABEL: name, SOURCE_LABEL: SOURCE, DATACENTER_LABEL: "dc1", **(labels or {})}
    if version:
        found[VERSION_LABEL] = version
    place = "unix" if address.startswith("/") else "address" if address[-1].isdigit() else "hostname"
    where: dict[str, Any] = {place: address}
    spec = Instance(**where, port=port, service=service, node="n1", id=f"{address}:{port}", **more)
    ref = Ref(*KIND, "default", instance_name(name, spec.node, spec.id))
    return Document(Object(ref, Meta(FrozenDict(found), origin=origin(service)), spec), origin(service))


def services(service: str, app_protocol: str = "") -> tuple[Document, ...]:
    """`NAME`, which yields, and `NAME@consul`."""
    name = registered_name(service)
    selector = FrozenDict({SERVICE_LABEL: name, SOURCE_LABEL: SOURCE, DATACENTER_LABEL: "dc1"})
    annotations = FrozenDict({REGISTERED_NAME: service} if name != service else {})
    spec = Service(selector=selector, ports=(ServicePort(port=80, app_protocol=app_protocol),))
    meta = Meta(annotations=annotations, origin=origin(service))
    names = (name, qualified(name, SOURCE))
    objects = [Object(Ref(CORE, "Service", "default", each), meta, spec) for each in names]
    return (Document(objects[0], meta.origin, yields=True), Document(objects[1], meta.origin))


def registered(service: str, *instances: Document, app_protocol: str = "") -> Loaded:
    """All that the source says under the key of one service."""
    return Loaded((*services(service, app_protocol), *instances))


def objects(*loaded: Loaded) -> dict[Ref, Object]:
    """As a Snapshot takes them."""
    return {item.ref: item for part in loaded for item in part.objects}
