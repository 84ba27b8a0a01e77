"""Which kinds there are: a KindSet maps (group, kind) to its class. Callers add their own (policies)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sampan.documents.kinds.shape import Spec
from sampan.model.names import CLUSTER_SCOPED


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. `spec` is None where no document of the kind is read: it is known and not supported yet, or
    `registered` says what to do instead of writing it. `top_level`: the class describes the document's own fields,
    beside apiVersion, kind and metadata (Secret), and not a `spec`."""

    group: str
    name: str
    versions: tuple[str, ...]
    spec: type[Spec] | None
    top_level: bool = False
    secret: bool = False
    """No message may show a value of such a document."""
    registered: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return (self.group, self.name)

    @property
    def cluster_scoped(self) -> bool:
        return self.key in CLUSTER_SCOPED

    @property
    def api_version(self) -> str:
        """`gateway.networking.k8s.io/v1`: the version that is written."""
        return f"{self.group}/{self.versions[0]}" if self.group else self.versions[0]


@dataclass(frozen=True, slots=True)
class KindSet:
    """Kinds by (group, kind)."""

    kinds: Mapping[tuple[str, str], Kind] = field(default_factory=dict)

    def with_kinds(self, more: Iterable[Kind]) -> KindSet:
        """The same with more kinds. A kind that is there already is our bug: ValueError."""
        kinds = dict(self.kinds)
        for kind in more:
            if kind.key in kinds:
                raise ValueError(f"kind {kind.key} is registered twice")
            kinds[kind.key] = kind
        return KindSet(kinds)

    def get(self, group: str, name: str) -> Kind | None:
        return self.kinds.get((group, name))
