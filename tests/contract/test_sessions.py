"""Sessions: what holds locks, and lets them go."""

from __future__ import annotations

import pytest

from .both import Both

pytestmark = pytest.mark.consul


def first(both: Both, path: str) -> object:
    return both.get(path)[0].json()


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"Name": "mine", "TTL": "15s", "LockDelay": "20s", "Behavior": "delete"},
        {"TTL": "90m", "LockDelay": 5},
        {"LockDelay": "0s", "Behavior": "release"},
        {"LockDelay": 15000000000},
        {"Node": "laptop", "Checks": ["serfHealth"]},
        {"Checks": []},
        {"NodeChecks": ["serfHealth"]},
        {"name": "lower", "ttl": "20s", "lockdelay": "1s"},
    ],
)
def test_created(both: Both, body: object) -> None:
    options = {} if body is None else {"json": body}
    both.keep("session", both.put("/v1/session/create", **options), "ID")
    both.get("/v1/session/info/{session}")
    both.get("/v1/session/list")
    both.get("/v1/session/node/laptop")
    both.put("/v1/session/renew/{session}")
    both.put("/v1/session/destroy/{session}")
    both.get("/v1/session/info/{session}")
    both.get("/v1/session/list")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {"TTL": "9s"}),
        (500, {"TTL": "25h"}),
        (500, {"TTL": "soon"}),
        (400, {"TTL": 10}),
        (500, {"Behavior": "nonsense"}),
        (500, {"Node": "nowhere"}),
        (500, {"Checks": ["nope"]}),
        (500, {"NodeChecks": ["nope"]}),
        (500, {"ServiceChecks": [{"ID": "nope"}]}),
        (400, {"LockDelay": "soon"}),
        (200, {"LockDelay": "2m"}),
        (200, {"LockDelay": "-1s"}),
        (200, {"Nonsense": 1}),
        (400, []),
        (400, "x"),
    ],
)
def test_odd_ones(both: Both, status: int, body: object) -> None:
    answers = both.put("/v1/session/create", status, json=body)
    if status == 200:
        both.keep("session", answers, "ID")
        both.get("/v1/session/info/{session}")


def test_what_is_not_there(both: Both) -> None:
    nobody = "d1a3d2a6-2f5e-4a8e-8d5e-000000000000"
    both.get(f"/v1/session/info/{nobody}")
    both.put(f"/v1/session/renew/{nobody}", 404)
    both.put(f"/v1/session/destroy/{nobody}")
    both.get("/v1/session/info/nope", 500)
    both.put("/v1/session/renew/nope", 500)
    both.put("/v1/session/destroy/nope", 500)
    both.get("/v1/session/node/nowhere")
    both.get("/v1/session/info/", 400)
    both.get("/v1/session/node/", 400)
    both.put("/v1/session/renew/", 400)
    both.put("/v1/session/destroy/", 400)
    both.put("/v1/session/create", 400, content=b"{")


def test_renewed(both: Both) -> None:
    both.keep("session", both.put("/v1/session/create", json={"TTL": "30s", "Name": "n"}), "ID")
    both.put("/v1/session/renew/{session}")
    both.get("/v1/session/info/{session}")


@pytest.mark.parametrize("behavior", ["release", "delete"])
def test_locks_of_a_destroyed_one(both: Both, behavior: str) -> None:
    both.keep("session", both.put("/v1/session/create", json={"LockDelay": "0s", "Behavior": behavior}), "ID")
    both.put("/v1/kv/held?acquire={session}", content=b"x")
    both.put("/v1/kv/free", content=b"x")
    since = both.get("/v1/kv/held")
    with both.woken("/v1/kv/held", since):
        both.put("/v1/session/destroy/{session}")
    both.get("/v1/kv/?recurse")


def test_lock_delay(both: Both) -> None:
    """Who held it may not know yet that it does not: for a while nobody gets it."""
    both.keep("mine", both.put("/v1/session/create", json={"LockDelay": "30s"}), "ID")
    both.keep("theirs", both.put("/v1/session/create", json={"LockDelay": "30s"}), "ID")
    both.put("/v1/kv/lock?acquire={mine}", content=b"x")
    both.put("/v1/session/destroy/{mine}")
    both.put("/v1/kv/lock?acquire={theirs}", content=b"y")
    both.get("/v1/kv/lock")
    both.put("/v1/kv/other?acquire={theirs}", content=b"y")
    both.put("/v1/kv/other?release={theirs}", content=b"y")
    both.put("/v1/kv/other?acquire={theirs}", content=b"y")


def test_short_lock_delay(both: Both) -> None:
    both.keep("mine", both.put("/v1/session/create", json={"LockDelay": "200ms"}), "ID")
    both.keep("theirs", both.put("/v1/session/create", json={"LockDelay": "0s"}), "ID")
    both.put("/v1/kv/soon?acquire={mine}", content=b"x")
    both.put("/v1/session/destroy/{mine}")
    both.put("/v1/kv/soon?acquire={theirs}", content=b"y")
    both.retry("/v1/kv/soon?acquire={theirs}", b"y")
    both.get("/v1/kv/soon")


def test_a_check_that_fails_ends_it(both: Both) -> None:
    both.put("/v1/agent/check/register", json={"ID": "c", "Name": "c", "TTL": "10m", "Status": "passing"})
    body = {"Checks": ["serfHealth", "c"], "LockDelay": "0s"}
    both.keep("session", both.put("/v1/session/create", json=body), "ID")
    both.put("/v1/kv/checked?acquire={session}", content=b"x")
    both.put("/v1/agent/check/warn/c")
    both.get("/v1/session/info/{session}")
    both.put("/v1/agent/check/fail/c")
    both.get("/v1/session/info/{session}")
    both.get("/v1/kv/checked")
    both.put("/v1/session/create", 500, json=body)


def test_a_check_that_goes_ends_it(both: Both) -> None:
    both.put("/v1/agent/check/register", json={"ID": "c", "Name": "c", "TTL": "10m", "Status": "passing"})
    both.keep("session", both.put("/v1/session/create", json={"Checks": ["c"], "LockDelay": "0s"}), "ID")
    both.put("/v1/agent/check/deregister/c")
    both.get("/v1/session/info/{session}")


def test_a_node_that_goes_ends_it(both: Both) -> None:
    both.put("/v1/catalog/register", json={"Node": "gone", "Address": "10.0.0.1"})
    both.keep("session", both.put("/v1/session/create", json={"Node": "gone", "NodeChecks": []}), "ID")
    both.get("/v1/session/node/gone")
    both.put("/v1/catalog/deregister", json={"Node": "gone"})
    both.get("/v1/session/info/{session}")
    both.get("/v1/session/node/gone")


def test_a_session_needs_its_nodes_health(both: Both) -> None:
    """By default the node's serfHealth, which other nodes do not have."""
    both.put("/v1/catalog/register", json={"Node": "other", "Address": "10.0.0.1"})
    both.put("/v1/session/create", 500, json={"Node": "other"})


def test_blocking(both: Both) -> None:
    since = both.get("/v1/session/list")
    with both.woken("/v1/session/list", since):
        both.keep("session", both.put("/v1/session/create"), "ID")
    since = both.get("/v1/session/info/{session}")
    with both.asleep("/v1/session/info/{session}", since):
        both.put("/v1/session/renew/{session}")
        both.put("/v1/kv/unrelated", content=b"x")
    with both.woken("/v1/session/info/{session}", since):
        both.put("/v1/session/destroy/{session}")


def test_time_runs_out(both: Both) -> None:
    """After its TTL, and within twice of it: 10 s is the least that there is, so this takes up to 20 s."""
    body = {"TTL": "10s", "LockDelay": "0s", "Behavior": "delete"}
    both.keep("session", both.put("/v1/session/create", json=body), "ID")
    both.put("/v1/kv/timed?acquire={session}", content=b"x")
    since = both.get("/v1/kv/timed")
    with both.woken("/v1/kv/timed", since):
        pass
    both.get("/v1/session/info/{session}")
    both.get("/v1/session/list")
    both.put("/v1/session/renew/{session}", 404)
