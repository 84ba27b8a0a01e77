"""What policies may fill, through a compile step of the tests' own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from compile_world import action, entry, one_host

from sampan.compile.engine import compile_plan
from sampan.compile.filters import HttpFilter, Slot, filter_of, in_order
from sampan.compile.memo import Memo
from sampan.envoy import protos, types
from sampan.envoy.table import Table, row
from sampan.model.plan import Entry, Forward, HttpApplication, Match, Share
from sampan.model.policy import Effective, Level, PolicyKind

Step = Callable[[Any, Any], None]


@pytest.fixture
def policy() -> Iterator[Callable[..., PolicyKind]]:
    """Makes a policy kind whose compile step is the functions given by place."""
    names: list[str] = []

    def make(name: str = "Probe", **steps: Step) -> PolicyKind:
        module = ModuleType(f"probe_policy_{len(names)}")
        for place, step in steps.items():
            setattr(module, place, step)
        sys.modules[module.__name__] = module
        names.append(module.__name__)
        return PolicyKind(name, object, object, None, frozenset({Level.ROUTE}), module.__name__)

    yield make
    for name in names:
        del sys.modules[name]


def in_force(value: object, kind: str = "Probe") -> dict[str, Effective]:
    return {kind: Effective(kind, value, {})}


BUFFER = filter_of(Slot.TRANSFORM, "envoy.filters.http.buffer", protos.buffer.Buffer())


def manager_of(table: Table) -> Any:
    listener_row = table.get(types.LISTENER, "port/80")
    assert listener_row is not None
    listener = protos.listener.Listener.FromString(listener_row.body)
    packed = listener.filter_chains[0].filters[-1].typed_config
    return protos.http.HttpConnectionManager.FromString(packed.value)


def routes_of(table: Table) -> Any:
    route_row = table.get(types.ROUTE, "http/80")
    assert route_row is not None
    return protos.route.RouteConfiguration.FromString(route_row.body).virtual_hosts[0].routes


def test_a_route_switches_a_filter_on(policy: Any) -> None:
    """It is in the chain, disabled there; the route that asked has its settings, others have none."""

    def route(value: int, fill: Any) -> None:
        settings = protos.buffer.BufferPerRoute()
        settings.buffer.max_request_bytes.value = value
        fill.enable(BUFFER, settings)

    asked = Entry(Match(), action("asked", Share(1, Forward("a"), policies=in_force(7))))
    table = compile_plan(one_host(asked, entry("other")), (policy(route=route),), Memo()).table
    assert [(item.name, item.disabled) for item in manager_of(table).http_filters] == [
        ("envoy.filters.http.buffer", True),
        ("envoy.filters.http.router", False),
    ]
    first, second = routes_of(table)
    settings = protos.buffer.BufferPerRoute.FromString(first.typed_per_filter_config[BUFFER.name].value)
    assert settings.buffer.max_request_bytes.value == 7
    assert not second.typed_per_filter_config


def test_a_filter_without_settings_per_route(policy: Any) -> None:
    asked = Entry(Match(), action("asked", Share(1, Forward("a"), policies=in_force(None))))
    table = compile_plan(one_host(asked), (policy(route=lambda _, fill: fill.enable(BUFFER)),), Memo()).table
    per_route = routes_of(table)[0].typed_per_filter_config[BUFFER.name]
    assert per_route.type_url.endswith("FilterConfig")
    assert protos.route.FilterConfig.FromString(per_route.value).HasField("config")


def test_a_connection_runs_a_filter_for_all(policy: Any) -> None:
    def connection(value: str, fill: Any) -> None:
        fill.manager.server_name = value
        fill.filters.append(BUFFER)

    base = one_host(entry("x"))
    (socket,) = base.sockets
    (chain,) = socket.chains
    assert isinstance(chain.application, HttpApplication)
    application = HttpApplication("http/80", chain.application.hosts, in_force("probe"))
    changed = type(socket)("port/80", 80, (type(chain)("http/80", application),))
    plan = type(base)(base.view, (changed,), base.upstreams)
    manager = manager_of(compile_plan(plan, (policy(connection=connection),), Memo()).table)
    assert manager.server_name == "probe"
    assert (manager.http_filters[0].name, manager.http_filters[0].disabled) == (BUFFER.name, False)


def test_rows_beside(policy: Any) -> None:
    """A cluster that the policy needs, as from a route; kept with it."""
    extra = row(types.CLUSTER, "limiter", protos.cluster.Cluster(name="limiter").SerializeToString())
    asked = Entry(Match(), action("asked", Share(1, Forward("a"), policies=in_force(None))))
    kinds = (policy(route=lambda _, fill: fill.rows.append(extra)),)
    memo, plan = Memo(), one_host(asked)
    for _ in range(2):
        assert compile_plan(plan, kinds, memo).table.get(types.CLUSTER, "limiter") == extra


def test_policies_that_differ_split(policy: Any) -> None:
    """Each share's Route sees its own value."""
    seen = []
    shares = (Share(1, Forward("a"), policies=in_force(1)), Share(3, Forward("b"), policies=in_force(2)))
    kinds = (policy(route=lambda value, fill: seen.append((value, fill.forward.cluster))),)
    table = compile_plan(one_host(Entry(Match(), action("split", *shares))), kinds, Memo()).table
    assert seen == [(1, "a"), (2, "b")]
    fractions = [route.match.runtime_fraction.default_value.numerator for route in routes_of(table)]
    assert fractions == [250_000, 0]


def test_order_does_not_depend_on_discovery(policy: Any) -> None:
    said: list[str] = []
    kinds = [policy(name, route=lambda value, _: said.append(value)) for name in ("B", "A")]
    both = {**in_force("a", "A"), **in_force("b", "B")}
    asked = Entry(Match(), action("asked", Share(1, Forward("a"), policies=both)))
    compile_plan(one_host(asked), kinds, Memo())
    assert said == ["a", "b"]


def test_filters_in_order() -> None:
    late = HttpFilter(Slot.SESSION, "a", "", b"")
    early = HttpFilter(Slot.CORS, "z", "", b"")
    assert in_order([late, early, early]) == (early, late)
    with pytest.raises(ValueError, match="two configurations"):
        in_order([late, HttpFilter(Slot.SESSION, "a", "", b"other")])
