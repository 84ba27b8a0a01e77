"""What a policy may fill.

The compile step of a policy is a module (`PolicyKind.compiler`) with any of these functions; each gets the value in
force (an instance of the kind's `settings`) and one of the Fill objects below, and writes into the messages it finds
there. It owns the fields that it writes: no two policies write the same one.

    def route(value, fill: RouteFill) -> None             for each Route of a rule
    def cluster(value, fill: ClusterFill) -> None         for each upstream
    def connection(value, fill: ConnectionFill) -> None   for each way in that speaks HTTP
    def stream(value, fill: StreamFill) -> None           for each way in that carries bytes (TCPRoute, TLSRoute)

Fill in place, by attribute. Results are kept as long as the parts of the Plan are the same objects, so a function may
use nothing but its two arguments. There is no hook for a weighted cluster: shares whose policies differ become Routes
of their own, so `route` sees each with its own values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from sampan.compile.filters import HttpFilter
from sampan.envoy import protos
from sampan.envoy.table import Row
from sampan.model.plan import Action, HttpApplication, TcpApplication, Upstream
from sampan.model.policy import Policies, PolicyKind


@dataclass(slots=True)
class RouteFill:
    """`route` is the `Route`; `forward` its `RouteAction`, or None where it redirects or answers itself."""

    action: Action
    route: Any
    forward: Any | None
    filters: list[HttpFilter] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    def enable(self, item: HttpFilter, per_route: Any | None = None) -> None:
        """Switches a filter on for this route, with its message of settings per route if it has any."""
        self.filters.append(item)
        if per_route is None:
            per_route = protos.route.FilterConfig()
            per_route.config.SetInParent()
        self.route.typed_per_filter_config[item.name].CopyFrom(protos.packed(per_route))


@dataclass(slots=True)
class ClusterFill:
    """`cluster` is the `Cluster`; `http` its `HttpProtocolOptions`, or None for an upstream of bytes."""

    upstream: Upstream
    cluster: Any
    http: Any | None
    rows: list[Row] = field(default_factory=list)


@dataclass(slots=True)
class ConnectionFill:
    """`manager` is the `HttpConnectionManager`. `filters` run for every request of the connection; network filters
    (`listener.Filter`) stand before the manager in `network`; `listener_filters` are the socket's."""

    application: HttpApplication
    manager: Any
    filters: list[HttpFilter] = field(default_factory=list)
    network: list[Any] = field(default_factory=list)
    listener_filters: list[Any] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)


@dataclass(slots=True)
class StreamFill:
    """`proxy` is the `TcpProxy`; the rest as in ConnectionFill."""

    application: TcpApplication
    proxy: Any
    network: list[Any] = field(default_factory=list)
    listener_filters: list[Any] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)


Fill = RouteFill | ClusterFill | ConnectionFill | StreamFill
Hook = Callable[[Any, Any], None]
_PLACES = ("route", "cluster", "connection", "stream")


class Hooks:
    """The functions of all policy kinds, by place, in the order of the kinds' names (so that results never depend on
    the order of discovery)."""

    def __init__(self, kinds: Sequence[PolicyKind]) -> None:
        self._places: dict[str, list[tuple[str, Hook]]] = {place: [] for place in _PLACES}
        for kind in sorted(kinds, key=lambda kind: kind.kind):
            module = import_module(kind.compiler)
            for place in _PLACES:
                hook = getattr(module, place, None)
                if hook is not None:
                    self._places[place].append((kind.kind, hook))

    def route(self, policies: Policies, fill: RouteFill) -> None:
        self._run("route", policies, fill)

    def cluster(self, policies: Policies, fill: ClusterFill) -> None:
        self._run("cluster", policies, fill)

    def connection(self, policies: Policies, fill: ConnectionFill) -> None:
        self._run("connection", policies, fill)

    def stream(self, policies: Policies, fill: StreamFill) -> None:
        self._run("stream", policies, fill)

    def _run(self, place: str, policies: Policies, fill: Fill) -> None:
        for kind, hook in self._places[place]:
            effective = policies.get(kind)
            if effective is not None:
                hook(effective.value, fill)
