"""TcpApplication → the TCP proxy of its filter chain: bytes to upstreams by weight."""

from __future__ import annotations

from typing import Any

from sampan.compile.clusters import NOWHERE
from sampan.compile.hooks import Hooks, StreamFill
from sampan.envoy import protos
from sampan.model.plan import Forward, Share, TcpApplication

NETWORK_FILTER = "envoy.filters.network.tcp_proxy"
IDLE_SECONDS = 3600


def stream(application: TcpApplication, hooks: Hooks) -> StreamFill:
    """The network filters come out complete, the proxy last."""
    proxy = protos.tcp_proxy.TcpProxy()
    proxy.stat_prefix = application.name
    proxy.idle_timeout.seconds = IDLE_SECONDS
    if len(application.shares) == 1:
        proxy.cluster = _cluster(application.shares[0])
    else:
        for share in application.shares:
            cluster = proxy.weighted_clusters.clusters.add()
            cluster.name = _cluster(share)
            cluster.weight = share.weight
    fill = StreamFill(application, proxy)
    hooks.stream(application.policies, fill)
    last = protos.listener.Filter(name=NETWORK_FILTER)
    last.typed_config.CopyFrom(protos.packed(proxy))
    fill.network.append(last)
    return fill


def goes_nowhere(application: TcpApplication) -> bool:
    """Whether a share of it is closed, for which there must be the cluster `NOWHERE`."""
    return any(not isinstance(share.target, Forward) for share in application.shares)


def _cluster(share: Share) -> Any:
    return share.target.upstream if isinstance(share.target, Forward) else NOWHERE
