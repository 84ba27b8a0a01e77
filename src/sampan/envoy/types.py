"""The resource types that Sampan serves: their type URLs, the order of pushing, which hangs under which.

The order is the one of Envoy's "eventual consistency considerations" (docs: api-docs/xds_protocol): what is referred to
goes first, what refers goes last.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PREFIX: Final = "type.googleapis.com/"
CLUSTER: Final = PREFIX + "envoy.config.cluster.v3.Cluster"
ENDPOINT: Final = PREFIX + "envoy.config.endpoint.v3.ClusterLoadAssignment"
SECRET: Final = PREFIX + "envoy.extensions.transport_sockets.tls.v3.Secret"
LISTENER: Final = PREFIX + "envoy.config.listener.v3.Listener"
ROUTE: Final = PREFIX + "envoy.config.route.v3.RouteConfiguration"

PUSH_ORDER: Final = (CLUSTER, ENDPOINT, SECRET, LISTENER, ROUTE)
"""Make: changed and new resources in this order. Break: removed CLUSTER and ENDPOINT rows after all of it."""

CHILD: Final[Mapping[str, str]] = {CLUSTER: ENDPOINT, LISTENER: ROUTE}
"""A resource of the key's type makes Envoy subscribe to resources of the value's type."""

WORD: Final[Mapping[str, str]] = {
    CLUSTER: "cluster",
    ENDPOINT: "endpoint",
    SECRET: "secret",
    LISTENER: "listener",
    ROUTE: "route",
}
"""One resource of the type, in one word."""


def word(type_url: str) -> str:
    """`cluster` for a served type; the message's bare name for any other."""
    return WORD.get(type_url) or type_url.rpartition(".")[2]
