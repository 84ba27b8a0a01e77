"""The RetryPolicy that most Routes of a host have is the host's, and means the same for each as if it were its own."""

from __future__ import annotations

from typing import Any

from compile_world import action, one_host

from sampan.compile.engine import Compiled, compile_plan
from sampan.compile.memo import Memo
from sampan.compile.routes import trial
from sampan.envoy import protos, types
from sampan.model.plan import Entry, Forward, Match, PathMatch, Plan, Respond, Share
from sampan.model.policy import Effective, Policies
from sampan.policies import discover

KINDS = tuple(kind for kind in discover() if kind.kind == "Retry")
ONE, THREE, OFF = 1, 3, 0


def retrying(attempts: int) -> Policies:
    (kind,) = KINDS
    return {kind.kind: Effective(kind.kind, kind.shipped.model_copy(update={"attempts": attempts}), {})}


def entry(name: str, *attempts: int) -> Entry:
    """A share of the requests for each number of attempts."""
    shares = [Share(1, Forward("a"), policies=retrying(number)) for number in attempts]
    return Entry(Match(PathMatch("prefix", f"/{name}")), action(name, *shares))


def host_of(compiled: Compiled) -> Any:
    row = compiled.table.get(types.ROUTE, "http/80")
    assert row is not None
    return protos.route.RouteConfiguration.FromString(row.body).virtual_hosts[0]


def in_force(host: Any) -> list[int]:
    """The retries of each Route, as Envoy takes them: its own policy, else its host's."""
    owners = (route.route if route.route.HasField("retry_policy") else host for route in host.routes)
    return [owner.retry_policy.num_retries.value for owner in owners]


def said(host: Any) -> list[bool]:
    return [route.route.HasField("retry_policy") for route in host.routes]


def compiled(*entries: Entry) -> Compiled:
    return compile_plan(one_host(*entries), KINDS, Memo())


def test_what_most_have_is_the_hosts() -> None:
    host = host_of(compiled(entry("x", ONE), entry("y", THREE), entry("z", ONE)))
    assert in_force(host) == [1, 3, 1]
    assert said(host) == [False, True, False]


def test_one_without_retries_says_so() -> None:
    host = host_of(compiled(entry("x", OFF), entry("y", ONE)))
    assert in_force(host) == [0, 1]
    assert said(host) == [True, False]


def test_a_host_without_retries_says_nothing() -> None:
    host = host_of(compiled(entry("x", OFF), entry("y", OFF)))
    assert in_force(host) == [0, 0]
    assert not host.HasField("retry_policy")


def test_an_entry_of_several_policies_says_each() -> None:
    host = host_of(compiled(entry("x", ONE, THREE), entry("y", ONE)))
    assert in_force(host) == [1, 3, 1]
    assert said(host) == [True, True, False]


def test_an_answer_of_the_proxy_has_none() -> None:
    half = [Share(1, Forward("a"), policies=retrying(ONE)), Share(1, Respond(500))]
    host = host_of(compiled(Entry(Match(), action("half", *half))))
    assert [route.WhichOneof("action") for route in host.routes] == ["route", "direct_response"]
    assert in_force(host)[0] == 1


def test_a_part_means_the_same_in_any_host() -> None:
    """In the search for a refused one, and as the last good version among others."""
    first = compiled(entry("x", ONE), entry("y", ONE))
    tried = protos.route.RouteConfiguration.FromString(trial("trial", first.parts["http/80"]).body).virtual_hosts[0]
    assert in_force(tried) == [1, 1]
    plan = one_host(entry("x", THREE), entry("y", THREE), entry("z", THREE))
    refused = {compile_plan(plan, KINDS, Memo()).parts["http/80"][0].key: first.parts["http/80"][0].body}
    assert in_force(host_of(compile_plan(plan, KINDS, Memo(), refused=refused))) == [1, 3, 3]


def test_a_refused_policy_is_not_left_with_the_host() -> None:
    plan: Plan = one_host(entry("x", THREE), entry("y", THREE))
    parts = compile_plan(plan, KINDS, Memo()).parts["http/80"]
    host = host_of(compile_plan(plan, KINDS, Memo(), refused={part.key: None for part in parts}))
    assert not host.HasField("retry_policy")
    assert [route.direct_response.status for route in host.routes] == [500, 500]
