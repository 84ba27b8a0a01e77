"""Under which keys a Snapshot finds an object beside its Ref, for this configuration language."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from sampan.model.meta import Object
from sampan.model.names import (
    CORE,
    DATACENTER_LABEL,
    DISCOVERY,
    GATEWAY_API,
    SAMPAN,
    SERVICE_LABEL,
    SOURCE_LABEL,
    VERSION_LABEL,
    Ref,
)
from sampan.model.snapshot import IndexKey

SERVICE_NAME_LABEL = "kubernetes.io/service-name"

COMMON_LABELS = frozenset(
    {SOURCE_LABEL, DATACENTER_LABEL, VERSION_LABEL, "broker", "protocol", "registry", "server", "transport"}
)
"""Labels whose values most instances share (the plain ones are go-micro's of every service): a bucket of them would
hold all 20,000 and be copied whenever one of them changes, and says nearly nothing. Instances are not found by them."""


def index_of(object: Object) -> Iterable[IndexKey]:
    """A policy by its targets, a slice by its Service, a Backend or Instance by its labels, a Service by what it
    selects, a ReferenceGrant by its namespace."""
    ref = object.ref
    kind = ref.kind
    if kind == "Instance" and ref.group == SAMPAN:
        namespace = ref.namespace
        return [labelled(namespace, *label) for label in object.meta.labels.items() if label[0] not in COMMON_LABELS]
    if kind == "Service" and ref.group == CORE:
        selector = object.spec.selector
        # One pair is enough to find the Services that may select an instance.
        return (services_selecting(ref.namespace, *min(telling(selector))),) if selector else ()
    if kind == "EndpointSlice" and ref.group == DISCOVERY:
        return (slices_of(ref.namespace, object.meta.labels.get(SERVICE_NAME_LABEL, "")),)
    if kind == "Backend" and ref.group == SAMPAN:
        return [labelled(ref.namespace, *label) for label in object.meta.labels.items()]
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


def labelled(namespace: str, key: str, value: str) -> IndexKey:
    """Backends with a label; Instances too, unless it is one of `COMMON_LABELS`."""
    return ("labelled", namespace, key, value)


def telling(selector: Mapping[str, str]) -> list[tuple[str, str]]:
    """The pairs of a selector that few instances meet: by the name of a registered service if that is asked for. All
    of them if none tells anything."""
    if SERVICE_LABEL in selector:
        return [(SERVICE_LABEL, selector[SERVICE_LABEL])]
    return [pair for pair in selector.items() if pair[0] not in COMMON_LABELS] or list(selector.items())


def services_selecting(namespace: str, key: str, value: str) -> IndexKey:
    """Services whose selector has this pair as the first, in the order of keys, of those that tell something."""
    return ("services selecting", namespace, key, value)


def grants_in(namespace: str) -> IndexKey:
    return ("grants in", namespace)


def policies_for(target: Ref) -> IndexKey:
    return ("policies for", target)
