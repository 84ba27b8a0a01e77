"""Subscriptions, versions, refusals: the delta protocol's own rules."""

from __future__ import annotations

import pytest
from xds_play import Play, cluster, endpoints, listener, routes, service

from sampan.envoy.table import Row
from sampan.envoy.types import CLUSTER, ENDPOINT, LISTENER, ROUTE
from sampan.xds.events import Acked, Refused, Verdicts
from sampan.xds.message import Request
from sampan.xds.session import Session

BASE = (*service("a"), listener("l"), routes("l", "a"))


def versions(*rows: Row) -> dict[str, str]:
    return {item.name: item.version for item in rows}


@pytest.mark.parametrize("names", [(), ("*",)])
def test_both_ways_of_asking_for_all_get_all(names: tuple[str, ...]) -> None:
    play = Play()
    play.publish([cluster("a"), cluster("b")])
    play.ask(CLUSTER, *names)
    assert play.settle() == ["cluster a b"]
    play.publish([cluster("c")])
    assert play.settle() == ["cluster c"]


def test_an_ack_is_not_a_wildcard() -> None:
    play = Play()
    play.publish([endpoints("a"), endpoints("b")])
    play.ask(ENDPOINT, "a")
    assert play.settle() == ["endpoint a"]


def test_a_proxy_without_a_table_is_sent_nothing_until_there_is_one() -> None:
    play = Play()
    play.ask(CLUSTER, have=versions(cluster("a")))
    play.ask(ENDPOINT, "a")
    play.ask(LISTENER)
    assert play.sent() == []
    assert play.session.settled == 0
    play.publish(BASE)
    assert play.settle() == ["endpoint a", "listener l"]


def test_after_a_reconnect_only_what_differs_is_sent_and_what_is_gone_is_removed_last() -> None:
    play = Play()
    play.publish([cluster("a", 9), cluster("b"), endpoints("a"), endpoints("b"), listener("l"), routes("l", "a")])
    play.ask(CLUSTER, have=versions(cluster("a"), cluster("b"), cluster("gone")))
    play.ask(ENDPOINT, "a", "b", "gone", have=versions(endpoints("a"), endpoints("b"), endpoints("gone")))
    play.ask(LISTENER, have=versions(listener("l"), listener("old")))
    play.ask(ROUTE, "l", have=versions(routes("l", "gone")))
    assert play.sent() == ["cluster a", "endpoint a"]
    play.ack(CLUSTER, ENDPOINT)
    assert play.sent() == ["listener -old", "route l"]
    play.ack(LISTENER, ROUTE)
    assert play.sent() == []
    assert play.session.settled == 1
    play.now += 1
    assert play.sent() == ["cluster -gone", "endpoint -gone"]


def test_after_a_reconnect_without_any_change_nothing_is_sent() -> None:
    play = Play()
    play.publish(BASE)
    play.ask(CLUSTER, have=versions(cluster("a")))
    play.ask(ENDPOINT, "a", have=versions(endpoints("a")))
    play.ask(LISTENER, have=versions(listener("l")))
    play.ask(ROUTE, "l", have=versions(routes("l", "a")))
    assert play.settle() == []
    assert play.session.settled == 1
    play.now += 60
    assert play.settle() == []


def test_a_name_that_does_not_exist_is_said_not_to_and_sent_once_it_does() -> None:
    play = Play()
    play.publish([endpoints("a")])
    play.ask(ENDPOINT, "a", "b")
    assert play.settle() == ["endpoint a -b"]
    play.publish([endpoints("b")])
    assert play.settle() == ["endpoint b"]


def test_a_stub_stands_in_for_a_name_that_does_not_exist() -> None:
    play = Play(Session({}, stub=lambda type_url, name: cluster(name, 99) if type_url == CLUSTER else None))
    play.publish([cluster("a")])
    play.ask(CLUSTER, "a", "unknown")
    assert play.settle() == ["cluster a unknown"]
    play.publish([cluster("unknown")])
    assert play.settle() == ["cluster unknown"]


def test_a_name_asked_for_again_is_sent_again() -> None:
    play = Play()
    play.start(*BASE)
    play.ask(ENDPOINT, "a")
    assert play.settle() == ["endpoint a"]


def test_a_name_given_up_is_sent_no_more() -> None:
    play = Play()
    play.start(*BASE)
    play.ask(ENDPOINT, drop=["a"])
    play.publish_endpoints(endpoints("a", 81))
    assert play.settle() == []
    play.ask(ENDPOINT, "a")
    assert play.settle() == ["endpoint a"]


def test_changes_during_an_unanswered_response_become_one() -> None:
    play = Play()
    play.start(*BASE)
    for port in range(1000, 1050):
        play.publish_endpoints(endpoints("a", port))
        if port == 1000:
            assert play.sent() == ["endpoint a"]
    assert play.sent() == []
    assert play.session.settled == 1
    play.ack(ENDPOINT)
    assert play.session.settled == 2
    assert play.events(Acked) == [Acked(ENDPOINT, 2)]
    assert play.sent() == ["endpoint a"]
    play.ack(ENDPOINT)
    assert play.versions[ENDPOINT]["a"] == endpoints("a", 1049).version
    assert play.events(Acked) == [Acked(ENDPOINT, 51)]


def test_an_answer_to_an_older_response_counts_for_nothing() -> None:
    play = Play()
    play.start(*BASE)
    play.publish_endpoints(endpoints("a", 81))
    play.sent()
    play.session.receive(Request(ENDPOINT, nonce="0"), play.now)
    play.publish_endpoints(endpoints("a", 82))
    assert play.sent() == []


def test_a_named_bad_cluster_harms_only_itself_and_is_not_sent_again_until_it_changes() -> None:
    play = Play()
    play.start(*BASE)
    play.publish([cluster("a", 2), cluster("a-b", 2), *service("c"), routes("l", "c")])
    play.sent()
    play.nack(CLUSTER, "Error adding/updating cluster(s) a-b: no")
    assert play.events(Refused) == [
        Refused(CLUSTER, {"a-b": cluster("a-b", 2).version}, "Error adding/updating cluster(s) a-b: no")
    ]
    play.ack(ENDPOINT)
    play.ask(ENDPOINT, "c")
    assert play.settle() == ["endpoint c", "route l"]
    assert play.session.settled == 2
    play.publish([cluster("d")])
    assert play.settle() == ["cluster d"]
    play.publish([cluster("a-b", 3)])
    assert play.settle() == ["cluster a-b"]


def test_a_refused_cluster_freezes_no_routes() -> None:
    play = Play()
    play.start(*BASE)
    play.publish([*service("b"), routes("l", "b")])
    play.sent()
    play.nack(CLUSTER, "Error adding/updating cluster(s) b: no")
    assert play.sent() == ["route l"]


def test_a_response_refused_as_a_whole_is_halved_until_the_bad_one_is_found() -> None:
    play = Play()
    play.start(*BASE)
    names = [f"n{number:02}" for number in range(32)]
    play.publish([cluster(name) for name in names])
    bad = {"n05", "n30"}
    rounds = 0
    while sent := play.sent():
        rounds += 1
        assert len(sent) == 1
        if bad & set(sent[0].split()):
            play.nack(CLUSTER, "Proto constraint validation failed (ClusterValidationError.ConnectTimeout)")
        else:
            play.ack(CLUSTER)
    assert {name for event in play.events(Refused) for name in event.versions} == bad
    assert rounds < 24
    assert {*play.session.feeds[CLUSTER].known} == {"a", *names} - bad
    assert play.session.settled == 2


def test_bad_routes_keep_the_old_ones_and_the_refusal_is_an_event() -> None:
    play = Play()
    play.start(*BASE)
    play.publish([routes("l", "a", "bad")])
    assert play.sent() == ["route l"]
    play.nack(ROUTE, "missing ): (?<x>a)(")
    assert play.events(Refused) == [Refused(ROUTE, {"l": routes("l", "a", "bad").version}, "missing ): (?<x>a)(")]
    assert play.sent() == []
    assert play.session.settled == 2
    assert play.session.feeds[ROUTE].known["l"] == routes("l", "a")


def test_a_proxy_that_starts_again_gets_what_was_good_instead_of_what_was_refused() -> None:
    verdicts: Verdicts = {}
    first = Play(Session(verdicts))
    first.start(*BASE)
    first.publish([routes("l", "a", "bad"), listener("l", seconds=9)])
    first.sent()
    first.nack(ROUTE, "no")
    first.nack(LISTENER, "Error adding/updating listener(s) l: no")
    second = Play(Session(verdicts))
    second.start(*first.table)
    assert second.versions[ROUTE]["l"] == routes("l", "a").version
    assert second.versions[LISTENER]["l"] == listener("l").version
    second.publish([routes("l", "a", "a")])
    assert second.settle() == ["route l"]
    assert (ROUTE, "l") not in verdicts


def test_without_anything_good_a_refused_listener_is_left_out_and_refused_endpoints_are_none() -> None:
    verdicts: Verdicts = {}
    first = Play(Session(verdicts))
    first.publish([cluster("a"), endpoints("a"), listener("l")])
    first.ask(CLUSTER)
    first.ask(ENDPOINT, "a")
    first.sent()
    first.ack(CLUSTER)
    first.nack(ENDPOINT, "malformed IP address: x")
    first.ask(LISTENER)
    first.sent()
    first.nack(LISTENER, "Error adding/updating listener(s) l: no")
    second = Play(Session(verdicts))
    second.publish(first.table)
    second.ask(CLUSTER)
    second.ask(ENDPOINT, "a")
    second.ask(LISTENER)
    assert second.settle() == ["cluster a", "endpoint -a", "listener"]
    assert second.session.settled == 1


def test_a_type_without_rows_is_answered_with_nothing_once() -> None:
    """Envoy does not become ready before its clusters and listeners were answered."""
    play = Play()
    play.publish([])
    play.ask(CLUSTER)
    assert play.settle() == ["cluster"]
    play.ask(LISTENER)
    assert play.settle() == ["listener"]
    play.publish([listener("l")])
    assert play.settle() == ["listener l"]


def test_a_replay_leaves_a_proxy_that_has_something_as_it_is() -> None:
    play = Play(Session({}, keep=True))
    play.publish(BASE)
    play.ask(CLUSTER, have={"a": "newer", "b": "newer"})
    play.ask(ENDPOINT, "a", "b", have={"a": "newer", "b": "newer"})
    play.ask(LISTENER, have={"l": "newer"})
    play.ask(ROUTE, "l", have={"l": "newer"})
    assert play.settle() == []
    play.now += 60
    assert play.settle() == []


def test_a_replay_gives_a_new_proxy_everything() -> None:
    play = Play(Session({}, keep=True))
    play.start(*BASE)
    assert play.versions[ROUTE]["l"] == routes("l", "a").version


def test_a_scope_withdrawn_takes_nothing_away_and_can_come_back() -> None:
    play = Play()
    play.start(*BASE)
    play.session.withdraw()
    assert play.settle() == []
    assert play.session.settled == 0
    play.publish([cluster("b")])
    assert play.settle() == ["cluster b"]


def test_a_type_that_is_not_served_is_not_answered() -> None:
    play = Play()
    play.start(*BASE)
    play.ask("type.googleapis.com/envoy.service.runtime.v3.Runtime", "x")
    assert play.settle() == []
