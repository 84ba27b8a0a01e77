"""Make before break: who goes first, who waits for whom, and for how long."""

from __future__ import annotations

from xds_play import Play, cluster, endpoints, listener, routes, secret, service

from sampan.envoy.types import CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET
from sampan.xds.events import GaveUp

BASE = (*service("a"), listener("l"), routes("l", "a"))


def test_a_cold_start_follows_what_the_proxy_asks_for() -> None:
    play = Play()
    revision = play.publish(BASE)
    play.ask(CLUSTER)
    assert play.sent() == ["cluster a"]
    play.ack(CLUSTER)
    assert play.sent() == []
    play.ask(ENDPOINT, "a")
    assert play.sent() == ["endpoint a"]
    play.ack(ENDPOINT)
    assert play.sent() == []
    assert play.session.settled == 0  # the listeners were not even asked for
    play.ask(LISTENER)
    assert play.sent() == ["listener l"]
    play.ask(ROUTE, "l")
    play.ack(LISTENER)
    assert play.sent() == ["route l"]
    assert play.session.settled < revision
    play.ack(ROUTE)
    assert play.sent() == []
    assert play.session.settled == revision


def test_a_route_waits_for_its_new_cluster_and_the_old_cluster_goes_last() -> None:
    play = Play()
    play.start(*BASE)
    play.publish([*service("b"), routes("l", "b")], [(CLUSTER, "a"), (ENDPOINT, "a")])
    assert play.sent() == ["cluster b"]
    play.ack(CLUSTER)
    assert play.sent() == []
    play.ask(ENDPOINT, "b")
    assert play.sent() == ["endpoint b"]
    play.ack(ENDPOINT)
    assert play.sent() == ["route l"]
    assert play.session.settled == 1
    play.ack(ROUTE)
    assert play.sent() == []
    assert play.session.settled == 2
    assert play.session.wake_at() == play.now + 1.0
    play.now += 1.0
    assert play.sent() == ["cluster -a", "endpoint -a"]
    assert play.session.settled == 2
    play.ack(CLUSTER, ENDPOINT)
    assert play.session.wake_at() is None


def test_a_changed_cluster_gets_its_endpoints_again_after_it() -> None:
    play = Play()
    play.start(*BASE)
    play.publish([cluster("a", 7)])
    assert play.sent() == ["cluster a", "endpoint a"]
    play.ack(CLUSTER, ENDPOINT)
    assert play.sent() == []
    assert play.session.settled == 2


def test_endpoints_on_their_way_do_not_count_for_a_cluster_that_changed_behind_them() -> None:
    play = Play()
    play.start(*BASE)
    play.publish_endpoints(endpoints("a", 81))
    assert play.sent() == ["endpoint a"]
    play.publish([cluster("a", 7), routes("l", "a", "a")])
    assert play.sent() == ["cluster a"]
    play.ack(CLUSTER, ENDPOINT)
    assert play.sent() == ["endpoint a"]
    play.ack(ENDPOINT)
    assert play.sent() == ["route l"]


def test_a_cluster_whose_endpoints_are_never_asked_for_cannot_freeze_the_routes() -> None:
    play = Play()
    play.start(*BASE)
    play.publish([*service("b"), routes("l", "b")])
    assert play.sent() == ["cluster b"]
    play.ack(CLUSTER)
    assert play.sent() == []
    assert play.session.wake_at() == play.now + 2.0
    play.now += 2.0
    assert play.sent() == ["route l"]
    assert play.events(GaveUp) == [GaveUp(((ENDPOINT, "b"),))]


def test_progress_prolongs_the_wait() -> None:
    play = Play()
    play.start(*BASE)
    play.publish([*service("b"), *service("c"), routes("l", "b", "c")])
    play.sent()
    play.ack(CLUSTER)
    play.now += 1.5
    play.ask(ENDPOINT, "b")
    assert play.sent() == ["endpoint b"]
    play.ack(ENDPOINT)
    play.now += 1.5
    assert play.sent() == []
    play.ask(ENDPOINT, "c")
    assert play.sent() == ["endpoint c"]
    play.ack(ENDPOINT)
    assert play.sent() == ["route l"]


def test_no_answer_is_no_reason_to_go_on() -> None:
    play = Play()
    play.start(*BASE)
    play.publish([*service("b"), routes("l", "b")])
    assert play.sent() == ["cluster b"]
    play.now += 60
    assert play.sent() == []
    assert play.session.wake_at() is None  # nor one to spin


def test_endpoints_of_the_same_table_go_before_the_routes_that_count_on_them() -> None:
    play = Play()
    play.start(*service("a"), cluster("b"), endpoints("b", 0), listener("l"), routes("l", "a"))
    play.publish([endpoints("b", 80), routes("l", "b")])
    assert play.sent() == ["endpoint b"]
    play.ack(ENDPOINT)
    assert play.sent() == ["route l"]


def test_endpoints_by_themselves_wait_for_nobody_and_hold_nobody_up() -> None:
    play = Play()
    play.start(*BASE)
    play.publish([*service("b"), routes("l", "b")])
    assert play.sent() == ["cluster b"]
    revision = play.publish_endpoints(endpoints("a", 81))
    assert play.sent() == ["endpoint a"]
    play.ack(CLUSTER)
    play.ask(ENDPOINT, "b")
    play.ack(ENDPOINT)
    assert play.sent() == ["endpoint b"]
    play.publish_endpoints(endpoints("a", 82))
    play.ack(ENDPOINT)
    assert play.sent() == ["endpoint a", "route l"]
    play.ack(ENDPOINT, ROUTE)
    assert play.sent() == []
    assert play.session.settled == revision + 1


def test_tables_that_come_during_a_round_wait_and_only_the_last_counts() -> None:
    play = Play()
    play.start(*BASE)
    play.publish([*service("b"), routes("l", "b")])
    assert play.sent() == ["cluster b"]
    play.publish([*service("c"), routes("l", "c")])
    play.publish([*service("d"), routes("l", "d")], [(CLUSTER, "c"), (ENDPOINT, "c")])
    play.ack(CLUSTER)
    play.ask(ENDPOINT, "b")
    assert play.sent() == ["endpoint b"]
    play.ack(ENDPOINT)
    assert play.sent() == ["route l"]
    assert play.versions[ROUTE]["l"] == routes("l", "b").version
    play.ack(ROUTE)
    assert play.session.settled == 2
    assert play.sent() == ["cluster d"]
    assert play.session.settled == 2
    play.ask(ENDPOINT, "d")
    play.ack(CLUSTER)
    assert play.settle() == ["endpoint d", "route l"]
    assert play.session.settled == 4


def test_endpoints_that_come_during_a_round_are_not_lost_by_the_next() -> None:
    play = Play()
    play.start(*BASE)
    play.publish([*service("b")])
    play.sent()
    play.publish([cluster("a", 9)])
    play.publish_endpoints(endpoints("a", 99))
    assert play.sent() == ["endpoint a"]
    play.ask(ENDPOINT, "b")
    play.ack(CLUSTER, ENDPOINT)
    assert play.settle() == ["endpoint b", "cluster a", "endpoint a"]
    assert play.versions[ENDPOINT]["a"] == endpoints("a", 99).version
    assert play.session.settled == 4


def test_a_listener_that_goes_and_one_that_comes_share_a_response() -> None:
    play = Play()
    play.start(*BASE)
    play.publish([listener("m"), routes("m", "a")], [(LISTENER, "l"), (ROUTE, "l")])
    assert play.sent() == ["listener m -l"]
    play.ack(LISTENER)
    play.ask(ROUTE, "m", drop=["l"])
    assert play.settle() == ["route m"]
    assert play.session.settled == 2


def test_clusters_of_an_old_listener_stay_until_the_new_one_has_its_routes() -> None:
    play = Play()
    play.start(*BASE)
    play.publish([*service("b"), listener("m"), routes("m", "b")], [(CLUSTER, "a"), (LISTENER, "l"), (ROUTE, "l")])
    play.sent()
    play.ask(ENDPOINT, "b")
    play.ack(CLUSTER)
    assert play.settle() == ["endpoint b", "listener m -l"]
    assert play.session.settled == 1
    play.now += 1.0
    assert play.sent() == []  # the new listener's routes were not asked for
    play.ask(ROUTE, "m")
    assert play.settle() == ["route m"]
    assert play.session.settled == 2
    play.now += 1.0
    assert play.settle() == ["cluster -a", "route -l"]


def test_a_secret_that_a_listener_needs_is_waited_for() -> None:
    play = Play()
    play.start(*BASE)
    play.publish([listener("l", secret="s"), secret("s")])
    assert play.sent() == ["listener l"]
    play.ack(LISTENER)
    assert play.sent() == []
    assert play.session.settled == 1
    play.ask(SECRET, "s")
    assert play.settle() == ["secret s"]
    assert play.session.settled == 2


def test_a_rotated_secret_goes_by_itself() -> None:
    play = Play()
    play.start(*service("a"), listener("l", secret="s"), routes("l", "a"), secret("s", "old"))
    play.publish([secret("s", "new")])
    assert play.settle() == ["secret s"]
    assert play.session.settled == 2


def test_what_comes_back_before_it_was_removed_stays() -> None:
    play = Play()
    play.start(*BASE, *service("b"))
    play.publish([], [(CLUSTER, "b"), (ENDPOINT, "b")])
    assert play.settle() == []
    play.now += 0.5
    play.publish(service("b"))
    play.now += 5
    assert play.settle() == []
    assert play.session.wake_at() is None


def test_what_comes_back_while_its_removal_is_on_the_way_is_sent_again() -> None:
    play = Play()
    play.start(*BASE, *service("b"))
    play.publish([], [(CLUSTER, "b"), (ENDPOINT, "b")])
    play.settle()
    play.now += 1
    assert play.sent() == ["cluster -b", "endpoint -b"]
    play.publish(service("b"))
    play.ack(CLUSTER)
    assert play.sent() == ["cluster b"]
    play.ask(ENDPOINT, drop=["b"])
    play.ask(ENDPOINT, "b")
    play.ack(ENDPOINT, CLUSTER)
    assert play.settle() == ["endpoint b"]
    assert play.session.settled == 3


def test_a_change_taken_back_in_time_is_never_sent() -> None:
    play = Play()
    play.start(*BASE)
    play.publish([*service("b")])
    play.sent()
    play.publish([routes("l", "b")])
    play.publish([routes("l", "a")])
    play.ask(ENDPOINT, "b")
    play.ack(CLUSTER)
    assert play.settle() == ["endpoint b"]
    assert play.session.settled == 4
