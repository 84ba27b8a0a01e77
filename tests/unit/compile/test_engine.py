"""What is compiled anew and what is kept, who caused what, and what stands in for what Envoy refused."""

from __future__ import annotations

from dataclasses import replace

from compile_world import GATEWAY, action, entry, one_host, plan, route_ref, upstream

from sampan.compile.engine import Compiled, compile_plan
from sampan.compile.memo import Memo
from sampan.compile.settings import Settings
from sampan.envoy import protos, types
from sampan.envoy.table import difference
from sampan.model.plan import (
    Certificate,
    Chain,
    Cors,
    DownstreamTls,
    Entry,
    Forward,
    Host,
    Plan,
    Respond,
    RuleOrigin,
    Share,
    Socket,
    TcpApplication,
)


def routes(compiled: Compiled, host: int = 0) -> list[tuple[str, str]]:
    """(path, what happens) of each Route."""
    row = compiled.table.get(types.ROUTE, "http/80")
    assert row is not None
    table = protos.route.RouteConfiguration.FromString(row.body)
    return [
        (route.match.path_separated_prefix, route.route.cluster or str(route.direct_response.status))
        for route in table.virtual_hosts[host].routes
    ]


# ---- what is kept


def test_the_same_plan_gives_the_same_rows() -> None:
    memo = Memo()
    first = compile_plan(one_host(entry("a")), (), memo)
    again = compile_plan(first.plan, (), memo)
    assert not difference(first.table, again.table)
    assert all(again.table.rows[type_url] is rows for type_url, rows in first.table.rows.items())


def test_a_changed_entry_changes_its_table_alone() -> None:
    memo = Memo()
    kept = [entry(name) for name in "xyz"]
    first = compile_plan(one_host(*kept), (), memo)
    second = compile_plan(replace(one_host(*kept[:2], entry("new")), upstreams=first.plan.upstreams), (), memo)
    change = difference(first.table, second.table)
    assert set(change.types) == {types.ROUTE}
    assert second.table.of(types.LISTENER) is first.table.of(types.LISTENER)
    assert second.table.of(types.CLUSTER) is first.table.of(types.CLUSTER)
    assert second.parts["http/80"][:2] == first.parts["http/80"][:2]


def test_a_kept_entry_is_not_looked_at_again() -> None:
    """Also after runs in which its host was found whole."""
    memo = Memo()
    kept = entry("kept")
    host = Host("any", "*", (kept,))
    first = compile_plan(plan(host), (), memo)
    compile_plan(plan(host), (), memo)
    last = compile_plan(one_host(kept, entry("new")), (), memo)
    assert last.parts["http/80"][0] is first.parts["http/80"][0]


def test_another_filter_changes_the_listener() -> None:
    memo = Memo()
    first = compile_plan(one_host(entry("a")), (), memo)
    second = compile_plan(one_host(entry("a"), entry("b", cors=Cors(("*",)))), (), memo)
    assert types.LISTENER in difference(first.table, second.table).types
    third = compile_plan(one_host(entry("a")), (), memo)
    assert third.table.get(types.LISTENER, "port/80") == first.table.get(types.LISTENER, "port/80")


def test_a_memo_holds_one_plan() -> None:
    memo = Memo()
    for number in range(50):
        compile_plan(one_host(entry(f"e{number}"), entry(f"f{number}")), (), memo)
    stores = (memo.entries, memo.actions, memo.hosts, memo.tables, memo.chains, memo.listeners)
    assert [len(store) for store in stores] == [2, 2, 1, 1, 1, 1]  # type: ignore[arg-type]


def test_other_settings_compile_anew() -> None:
    memo = Memo()
    same = one_host(entry("a"))
    first = compile_plan(same, (), memo)
    second = compile_plan(same, (), memo, settings=Settings(every_address="::"))
    assert set(difference(first.table, second.table).types) == {types.LISTENER}


def test_one_entry_of_two_hosts_is_one_part() -> None:
    shared = entry("a")
    hosts = (Host("one", "one.org", (shared,)), Host("two", "two.org", (shared,)))
    parts = compile_plan(plan(*hosts), (), Memo()).parts["http/80"]
    assert len(parts) == 2
    assert parts[0] is parts[1]


# ---- who caused what


def test_sources() -> None:
    stream = TcpApplication("tcp", (Share(1, Forward("b")),), RuleOrigin(route_ref("bytes"), 0))
    base = one_host(entry("x"), entry("y"))
    sockets = (*base.sockets, Socket("port/90", 90, (Chain("tcp", stream),)))
    compiled = compile_plan(replace(base, sockets=sockets), (), Memo())
    assert compiled.sources(types.ROUTE, "http/80") == (route_ref("x"), route_ref("y"))
    assert compiled.sources(types.CLUSTER, "a") == (upstream("a").owner,)
    assert compiled.sources(types.LISTENER, "port/80") == (GATEWAY,)
    assert compiled.sources(types.LISTENER, "port/90") == (GATEWAY, route_ref("bytes"))
    assert compiled.sources(types.CLUSTER, "unheard of") == (GATEWAY,)


# ---- what was refused


def refused_part(compiled: Compiled, index: int) -> str:
    return compiled.parts["http/80"][index].key


def test_a_refused_part_answers_500_and_the_others_stay() -> None:
    memo = Memo()
    same = one_host(entry("x"), entry("bad"), entry("y"))
    first = compile_plan(same, (), memo)
    second = compile_plan(same, (), memo, refused={refused_part(first, 1): None})
    assert routes(second) == [("/x", "a"), ("/bad", "500"), ("/y", "a")]
    assert second.sources(types.ROUTE, "http/80") == first.sources(types.ROUTE, "http/80")
    third = compile_plan(same, (), memo)
    assert routes(third) == routes(first)


def test_a_refused_match_is_left_out() -> None:
    """Envoy refuses the answer with the same match too."""
    memo = Memo()
    same = one_host(entry("x"), entry("bad"))
    refused = {refused_part(compile_plan(same, (), memo), 1): None}
    refused[refused_part(compile_plan(same, (), memo, refused=refused), 1)] = None
    assert routes(compile_plan(same, (), memo, refused=refused)) == [("/x", "a")]


def test_the_last_good_version_stands_in() -> None:
    memo = Memo()
    good = compile_plan(one_host(entry("x"), Entry(entry("z").match, action("z", Share(1, Forward("b"))))), (), memo)
    same = one_host(entry("x"), entry("z"))
    refused = {refused_part(compile_plan(same, (), memo), 1): good.parts["http/80"][1].body}
    stands_in = compile_plan(same, (), memo, refused=refused)
    assert routes(stands_in) == [("/x", "a"), ("/z", "b")]
    refused[refused_part(stands_in, 1)] = None
    assert routes(compile_plan(same, (), memo, refused=refused)) == [("/x", "a"), ("/z", "500")]


def test_a_refused_grpc_part_is_unavailable() -> None:
    same = one_host(entry("x", grpc=True))
    first = compile_plan(same, (), Memo())
    assert routes(compile_plan(same, (), Memo(), refused={refused_part(first, 0): None})) == [("/x", "503")]


def test_a_refused_row_is_replaced_or_left_out() -> None:
    same = one_host(entry("x"))
    first = compile_plan(same, (), Memo())
    row, good = first.table.get(types.CLUSTER, "a"), first.table.get(types.CLUSTER, "b")
    assert row is not None
    assert good is not None
    second = compile_plan(same, (), Memo(), refused={row.version: good.body})
    replaced = second.table.get(types.CLUSTER, "a")
    assert replaced is not None
    assert replaced.body == good.body
    third = compile_plan(same, (), Memo(), refused={row.version: None})
    assert third.table.get(types.CLUSTER, "a") is None
    assert third.table.get(types.CLUSTER, "b") == good


# ---- rows that only some Plans have


def test_the_cluster_to_nowhere_is_there_if_needed() -> None:
    closed = TcpApplication("tcp", (Share(1, Respond(503)),))
    sockets = (Socket("port/90", 90, (Chain("tcp", closed),)),)
    assert compile_plan(plan(sockets=sockets), (), Memo()).table.get(types.CLUSTER, "nowhere") is not None
    assert compile_plan(one_host(entry("x")), (), Memo()).table.get(types.CLUSTER, "nowhere") is None


def test_only_secrets_that_are_named() -> None:
    certificates = {name: Certificate(name, b"chain", b"key") for name in ("used", "unused")}
    base: Plan = one_host(entry("x"), certificates=certificates)
    (socket,) = base.sockets
    (chain,) = socket.chains
    secure = replace(socket, chains=(replace(chain, tls=DownstreamTls(("used",))),))
    compiled = compile_plan(replace(base, sockets=(secure,)), (), Memo())
    assert set(compiled.table.of(types.SECRET)) == {"used"}
