"""ReferenceGrant: whether an object may refer to another namespace (GEP-709)."""

from __future__ import annotations

from sampan.documents.kinds.reference_grant import ReferenceGrant
from sampan.model.names import Ref
from sampan.resolve.index import grants_in
from sampan.resolve.units import Reader, unit


@unit(tier=1)
def permitted(reader: Reader, from_group: str, from_kind: str, from_namespace: str, to: Ref) -> bool:
    """Whether objects of that kind in that namespace may refer to `to`, which is in another namespace."""
    return any(
        _grants(grant.spec, from_group, from_kind, from_namespace, to)
        for grant in reader.bucket(grants_in(to.namespace))
    )


def _grants(grant: ReferenceGrant, from_group: str, from_kind: str, from_namespace: str, to: Ref) -> bool:
    return any(
        item.group == from_group and item.kind == from_kind and item.namespace == from_namespace for item in grant.from_
    ) and any(item.group == to.group and item.kind == to.kind and item.name in ("", to.name) for item in grant.to)


def may_refer(reader: Reader, owner: Ref, to: Ref) -> bool:
    """Whether `owner` may refer to `to`: always within its own namespace, elsewhere with a ReferenceGrant there."""
    return owner.namespace == to.namespace or reader.use(permitted, owner.group, owner.kind, owner.namespace, to)
