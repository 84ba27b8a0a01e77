"""ReferenceGrant: who may refer to objects of this namespace."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sampan.documents.kinds.scalars import Group, KindName, Namespace, ObjectName
from sampan.documents.kinds.shape import Shape, Spec


class GrantFrom(Shape):
    """Objects that may refer."""

    group: Group
    kind: KindName
    namespace: Namespace


class GrantTo(Shape):
    """Objects of the grant's own namespace that may be referred to."""

    group: Group
    kind: KindName
    name: ObjectName = ""
    """All of the kind if absent."""


class ReferenceGrant(Spec):
    """Lets objects of other namespaces refer to objects of this one, such as a route to a Service."""

    from_: Annotated[tuple[GrantFrom, ...], Field(alias="from", min_length=1, max_length=16)]
    to: Annotated[tuple[GrantTo, ...], Field(min_length=1, max_length=16)]
