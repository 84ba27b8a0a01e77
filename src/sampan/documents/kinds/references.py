"""References from one object to another, with the Gateway API's defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from sampan.documents.kinds.scalars import (
    Group,
    KindName,
    LabelKey,
    LabelValue,
    Namespace,
    ObjectName,
    Port,
    SectionName,
)
from sampan.documents.kinds.shape import NO_STRINGS, Frozen, Mistake, Path, Ruled, Shape, duplicates
from sampan.model.names import GATEWAY_API


class ParentReference(Shape):
    """What a route attaches to: a Gateway (or one listener of it), or a Service for traffic inside the mesh."""

    group: Group = GATEWAY_API
    kind: KindName = "Gateway"
    namespace: Namespace = ""
    """The route's own namespace if absent."""
    name: ObjectName
    section_name: SectionName = ""
    """One listener of the Gateway by its name; all of them if absent."""
    port: Port | None = None
    """The listeners on this port only."""


class LocalObjectReference(Shape):
    """An object of any kind in the same namespace."""

    group: Group
    kind: KindName
    name: ObjectName


class ParametersReference(LocalObjectReference):
    """Parameters of a GatewayClass, in a namespace if the kind has one."""

    namespace: Namespace = ""


class ObjectReference(LocalObjectReference):
    """An object of any kind, in another namespace if a ReferenceGrant there allows it."""

    namespace: Namespace = ""


class SecretReference(Shape):
    """A Secret (or another kind that holds a certificate); in another namespace if a ReferenceGrant there allows it."""

    group: Group = ""
    kind: KindName = "Secret"
    namespace: Namespace = ""
    name: ObjectName


class BackendReference(Ruled):
    """Where requests go: a Service with a port, or a `Backend` (group `sampan.dev`)."""

    group: Group = ""
    kind: KindName = "Service"
    namespace: Namespace = ""
    """The route's own namespace if absent; another one needs a ReferenceGrant there."""
    name: ObjectName
    port: Port | None = None
    """The Service's port (not its target port). Needed for a Service."""

    def mistakes(self) -> Iterator[Mistake]:
        if self.port is None and self.kind == "Service" and not self.group:
            yield Mistake("a reference to a Service needs a port", (), "add 'port:' with one of the Service's ports")


class WeightedBackendReference(BackendReference):
    """A backend with its share of the traffic: its weight over the sum of all weights of the rule."""

    weight: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] = 1
    """0 sends nothing."""


class PolicyTargetReference(Shape):
    """What a policy is about, in the policy's own namespace."""

    group: Group
    kind: KindName
    name: ObjectName
    section_name: SectionName = ""
    """One part of the target: a Gateway's listener, a route's named rule, a Service's named port."""


class LabelSelectorRequirement(Ruled):
    """One condition on a label."""

    key: LabelKey
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: tuple[LabelValue, ...] = ()

    def mistakes(self) -> Iterator[Mistake]:
        if self.operator in ("In", "NotIn") and not self.values:
            yield Mistake(f"operator {self.operator} needs at least one value", ("values",))
        if self.operator in ("Exists", "DoesNotExist") and self.values:
            yield Mistake(f"operator {self.operator} takes no values", ("values",))


class LabelSelector(Shape):
    """Labels that must all match. An empty selector matches everything."""

    match_labels: Annotated[Mapping[LabelKey, LabelValue], Frozen] = NO_STRINGS
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected. As in Kubernetes NotIn also selects an absent key."""
        if any(labels.get(key) != value for key, value in self.match_labels.items()):
            return False
        return all(_fulfils(labels, requirement) for requirement in self.match_expressions)


def _fulfils(labels: Mapping[str, str], requirement: LabelSelectorRequirement) -> bool:
    match requirement.operator:
        case "In":
            return labels.get(requirement.key) in requirement.values
        case "NotIn":
            return labels.get(requirement.key) not in requirement.values
        case "Exists":
            return requirement.key in labels
        case "DoesNotExist":
            return requirement.key not in labels


def parent_mistakes(parents: tuple[ParentReference, ...], at: Path = ("parentRefs",)) -> Iterator[Mistake]:
    """References to the same parent differ by sectionName or port, and all of them use the same of the two."""
    for index, first, parent in duplicates(
        parents, lambda p: (p.group, p.kind, p.namespace, p.name, p.section_name, p.port)
    ):
        yield Mistake(f"'{parent.name}' is already named by parentRefs[{first}]", (*at, index), "remove one of the two")
    styles: dict[object, tuple[bool, bool]] = {}
    for index, parent in enumerate(parents):
        style = (bool(parent.section_name), parent.port is not None)
        if styles.setdefault((parent.group, parent.kind, parent.namespace, parent.name), style) != style:
            yield Mistake(
                f"'{parent.name}' is named more than once, and not every time with a sectionName or a port",
                (*at, index),
                "give each reference to the same parent a sectionName, or each a port",
            )


def target_mistakes(targets: tuple[PolicyTargetReference, ...], at: Path = ("targetRefs",)) -> Iterator[Mistake]:
    """References to the same target must each have their own sectionName."""
    for index, first, target in duplicates(targets, lambda t: (t.group, t.kind, t.name, t.section_name)):
        yield Mistake(f"'{target.name}' is already named by targetRefs[{first}]", (*at, index), "remove one of the two")
    sections: dict[object, bool] = {}
    for index, target in enumerate(targets):
        named = bool(target.section_name)
        if sections.setdefault((target.group, target.kind, target.name), named) != named:
            yield Mistake(
                f"'{target.name}' is named more than once, and not every time with a sectionName",
                (*at, index),
                "give each reference to the same target a sectionName",
            )
