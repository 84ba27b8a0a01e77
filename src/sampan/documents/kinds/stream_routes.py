"""TLSRoute and TCPRoute: where connections go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from sampan.documents.kinds.references import ParentReference, WeightedBackendReference, parent_mistakes
from sampan.documents.kinds.routes import UseDefaultGateways, unsupported_default_gateways
from sampan.documents.kinds.scalars import Hostname, SectionName
from sampan.documents.kinds.shape import Mistake, Shape, Spec, Unsupported


class StreamRule(Shape):
    """All connections of the route go to one of `backendRefs`, by weight."""

    name: SectionName = ""
    backend_refs: Annotated[tuple[WeightedBackendReference, ...], Field(min_length=1, max_length=16)]


class TLSRoute(Spec):
    """Where TLS connections go, by the host name the client asked for (SNI)."""

    parent_refs: Annotated[tuple[ParentReference, ...], Field(max_length=32)] = ()
    """The Gateways (or listeners of them) that serve this route."""
    use_default_gateways: UseDefaultGateways | None = None
    hostnames: Annotated[tuple[Hostname, ...], Field(min_length=1, max_length=1024)]
    """`shop.example.com` or `*.example.com`."""
    rules: Annotated[tuple[StreamRule, ...], Field(min_length=1, max_length=1)]

    def mistakes(self) -> Iterator[Mistake]:
        yield from parent_mistakes(self.parent_refs)

    def unsupported(self) -> Iterator[Unsupported]:
        yield from unsupported_default_gateways(self.use_default_gateways)


class TCPRoute(Spec):
    """Where the TCP connections of a listener go."""

    parent_refs: Annotated[tuple[ParentReference, ...], Field(max_length=32)] = ()
    """The Gateways (or listeners of them) that serve this route."""
    use_default_gateways: UseDefaultGateways | None = None
    rules: Annotated[tuple[StreamRule, ...], Field(min_length=1, max_length=1)]

    def mistakes(self) -> Iterator[Mistake]:
        yield from parent_mistakes(self.parent_refs)

    def unsupported(self) -> Iterator[Unsupported]:
        yield from unsupported_default_gateways(self.use_default_gateways)
