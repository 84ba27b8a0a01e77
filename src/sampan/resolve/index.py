"""Under which keys a Snapshot finds an object beside its Ref, for this configuration language."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from functools import lru_cache
from typing import Any

from sampan.model.meta import Object
from sampan.model.names import DISCOVERY, GATEWAY_API, SAMPAN, Ref
from sampan.model.snapshot import IndexKey

SERVICE_NAME_LABEL = "kubernetes.io/service-name"


def index_of(object: Object) -> Iterable[IndexKey]:
    """A policy by its targets, a slice by its Service, Backends and ReferenceGrants by namespace."""
    ref = object.ref
    kind = ref.kind
    if kind == "EndpointSlice" and ref.group == DISCOVERY:
        return (slices_of(ref.namespace, object.meta.labels.get(SERVICE_NAME_LABEL, "")),)
    if kind == "Backend" and ref.group == SAMPAN:
        return (backends_in(ref.namespace),)
    if kind == "ReferenceGrant" and ref.group == GATEWAY_API:
        return (grants_in(ref.namespace),)
    if has_targets(type(object.spec)):
        # A policy that names one target by several sections is found once: buckets hold an object once per key.
        targets = object.spec.target_refs
        found = {Ref(target.group, target.kind, ref.namespace, target.name): None for target in targets}
        return tuple(policies_for(target) for target in found)
    return ()


def has_targets(spec: Any) -> bool:
    """Whether objects with a spec of this class are policies: GEP-713 knows them by their `targetRefs`."""
    return _has_targets(spec)


@lru_cache(maxsize=256)
def _has_targets(spec: Hashable) -> bool:
    return "target_refs" in getattr(spec, "model_fields", ())


def slices_of(namespace: str, service: str) -> IndexKey:
    return ("slices of", namespace, service)


def backends_in(namespace: str) -> IndexKey:
    return ("backends in", namespace)


def grants_in(namespace: str) -> IndexKey:
    return ("grants in", namespace)


def policies_for(target: Ref) -> IndexKey:
    return ("policies for", target)
