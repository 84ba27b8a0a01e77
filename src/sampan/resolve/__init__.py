"""Resolving: from a Snapshot to what it means (Plans), and what is said of it (statuses, diagnostics).

The Gateway API's rules live here, one module a concern. Pure: no clock, no I/O; a `Memo` passed in and out makes the
next resolve cost what changed.
"""

from sampan.resolve.endpoints import endpoint_group
from sampan.resolve.gateways import built_in_class
from sampan.resolve.index import index_of
from sampan.resolve.publications import Expansion, told
from sampan.resolve.resolution import Resolution
from sampan.resolve.touched import groups_touched
from sampan.resolve.world import Memo, resolve

__all__ = [
    "Expansion",
    "Memo",
    "Resolution",
    "built_in_class",
    "endpoint_group",
    "groups_touched",
    "index_of",
    "resolve",
    "told",
]
