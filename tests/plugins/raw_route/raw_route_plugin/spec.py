"""The fields of a RawRoute."""

from __future__ import annotations

from sampan.documents.kinds.shape import Ruled
from sampan.policies.targets import Targeted


class RawRouteSettings(Ruled):
    """Text that reaches Envoy as it is."""

    path_regex: str | None = None
    """A pattern whose matches in the path are replaced: `(` is one that Envoy refuses, naming nothing."""
    ejected_percent: int | None = None
    """For an upstream: Envoy refuses more than 100."""
    stat_prefix: str | None = None
    """For a way in: Envoy refuses ""."""
    bug: str | None = None
    """Raises, with this text."""
    operation: str | None = None
    """A word without effect, to make another version of a route."""


class RawRoute(RawRouteSettings, Targeted):
    """Raw values for a route."""
