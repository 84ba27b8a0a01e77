"""Under which keys a Snapshot finds an object beside its Ref, for this configuration language."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from functools import lru_cache
from typing import Any

from sampan.model.meta import Object
from sampan.model.names import CORE, DISCOVERY, GATEWAY_API, SAMPAN, Ref
from sampan.model.snapshot import IndexKey

SERVICE_NAME_LABEL = "kubernetes.io/service-name"


def index_of(object: Object) -> Iterable[IndexKey]:
    """A policy by its targets, a slice by its Service, a Backend by its labels, a Service by what it selects, a
    ReferenceGrant by its namespace."""
    ref = object.ref
    kind = ref.kind
    if kind == "Service" and ref.group == CORE:
        selector = object.spec.selector
        # One pair is enough to find the Services that may select an instance.
        return (services_selecting(ref.namespace, *min(selector.items())),) if selector else ()
    if kind == "EndpointSlice" and ref.group == DISCOVERY:
        return (slices_of(ref.namespace, object.meta.labels.get(SERVICE_NAME_LABEL, "")),)
    if kind == "Backend" and ref.group == SAMPAN:
        return [backends_labelled(ref.namespace, *label) for label in object.meta.labels.items()]
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


def backends_labelled(namespace: str, key: str, value: str) -> IndexKey:
    return ("backends labelled", namespace, key, value)


def services_selecting(namespace: str, key: str, value: str) -> IndexKey:
    """Services whose selector has this pair as its first, in the order of keys."""
    return ("services selecting", namespace, key, value)


def grants_in(namespace: str) -> IndexKey:
    return ("grants in", namespace)


def policies_for(target: Ref) -> IndexKey:
    return ("policies for", target)
