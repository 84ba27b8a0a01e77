from __future__ import annotations

from sampan.proxy.drain import Calm, Traffic, traffic

STATISTICS = {
    "http.admin.downstream_rq_active": 1,
    "http.admin.downstream_cx_active": 1,
    "http.admin.downstream_rq_total": 9,
    "http.shop.downstream_rq_active": 2,
    "http.shop.downstream_cx_active": 5,
    "http.shop.downstream_rq_total": 70,
    "http.other/gateway.downstream_rq_active": 1,
    "http.other/gateway.downstream_rq_total": 7,
    "listener.admin.downstream_cx_active": 1,
    "listener.admin.main_thread.downstream_cx_active": 1,
    "listener.127.0.0.1_8080.downstream_cx_active": 5,
    "listener.127.0.0.1_8080.worker_0.downstream_cx_active": 5,
    "listener.127.0.0.1_9000.downstream_cx_active": 3,
    "listener.127.0.0.1_9000.downstream_pre_cx_active": 2,
}


def test_what_is_in_flight_is_counted_once_and_without_the_admins_own() -> None:
    assert traffic(STATISTICS) == Traffic(requests=3, tcp=3, connections=10, total=77)


def test_an_envoy_without_traffic_is_calm_at_once() -> None:
    assert Calm().after(traffic({}), 100.0).reached(100.0, quiet=5.0)


def test_idle_connections_are_given_the_quiet_time_and_no_more() -> None:
    idle = Traffic(requests=0, tcp=0, connections=4, total=10)
    calm = Calm().after(idle, 100.0).after(idle, 100.25)
    assert not calm.reached(100.25, quiet=0.5)
    assert calm.after(idle, 100.5).reached(100.5, quiet=0.5)


def test_a_request_that_came_and_went_between_two_looks_begins_the_quiet_anew() -> None:
    calm = Calm().after(Traffic(0, 0, 1, 10), 100.0).after(Traffic(0, 0, 1, 11), 100.25)
    assert not calm.reached(100.5, quiet=0.5)
    assert calm.reached(100.75, quiet=0.5)


def test_requests_and_tcp_connections_in_flight_are_not_calm() -> None:
    for busy in (Traffic(1, 0, 1, 1), Traffic(0, 1, 1, 1)):
        assert not Calm().after(busy, 100.0).reached(1000.0, quiet=0.5)
