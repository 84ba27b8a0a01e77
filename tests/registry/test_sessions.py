"""Sessions, transactions and events over HTTP: who waits wakes, what fails ends a session, what is refused says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .embedded import NODE, Embedded, embedded
from .waiting import Waiters

TIMEOUT = 10
NOBODY = "f2cb9f51-4c0e-4cb3-9d4d-5c4d5ff1b2a0"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    with embedded(tmp_path_factory.mktemp("registry")) as running:
        yield running


def create(registry: Embedded, **wanted: Any) -> str:
    return str(registry.put("/v1/session/create", wanted).json()["ID"])


def lock(registry: Embedded, key: str, session: str) -> bool:
    return bool(registry.client.put(f"/v1/kv/{key}?acquire={session}", content=b"x").json())


def test_every_read_of_sessions_wakes(registry: Embedded) -> None:
    session = create(registry, Name="waited for")
    waiters = Waiters(registry)
    info, node, every = map(
        waiters.wait, (f"/v1/session/info/{session}", f"/v1/session/node/{NODE.upper()}", "/v1/session/list")
    )
    other = create(registry)
    assert session in {one["ID"] for one in node.result(TIMEOUT).json()}
    assert other in {one["ID"] for one in every.result(TIMEOUT).json()}
    assert not info.done()
    registry.put(f"/v1/session/destroy/{session}")
    assert info.result(TIMEOUT).json() == []


def test_a_check_that_fails_gives_the_lock_to_the_next(registry: Embedded) -> None:
    registry.put("/v1/agent/check/register", {"Name": "alive", "TTL": "60s", "Status": "passing"})
    session = create(registry, NodeChecks=["serfHealth", "alive"], LockDelay="0s")
    assert lock(registry, "leader", session)
    waiting = Waiters(registry).wait("/v1/kv/leader")
    registry.put("/v1/agent/check/warn/alive")
    registry.put("/v1/agent/check/fail/alive")
    assert "Session" not in waiting.result(TIMEOUT).json()[0]
    assert registry.get(f"/v1/session/info/{session}") == []
    assert lock(registry, "leader", create(registry))
    refused = registry.client.put("/v1/session/create", json={"NodeChecks": ["alive"]})
    assert (refused.status_code, refused.text) == (500, "Check 'alive' is in critical state")


def test_a_service_that_goes_ends_its_sessions(registry: Embedded) -> None:
    registry.put(
        "/v1/agent/service/register", {"Name": "web", "Check": {"TTL": "60s", "Status": "passing", "CheckID": "web up"}}
    )
    session = create(registry, ServiceChecks=[{"ID": "web up"}], Behavior="delete")
    assert lock(registry, "web/leader", session)
    registry.put("/v1/agent/service/deregister/web")
    assert registry.client.get("/v1/kv/web/leader").status_code == 404
    assert not lock(registry, "web/leader", create(registry)), "for the lock-delay"


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("renew/", 400, "Missing session"),
        ("renew/x", 500, "failed session lookup: index error: UUID must be 36 characters"),
        (f"renew/{NOBODY}", 404, f"Session id '{NOBODY}' not found"),
        ("destroy/", 400, "Missing session"),
        (f"destroy/{NOBODY}", 200, "true"),
    ],
)
def test_of_sessions_that_are_not_there(registry: Embedded, path: str, status: int, text: str) -> None:
    answer = registry.client.put(f"/v1/session/{path}")
    assert (answer.status_code, answer.text) == (status, text)


@pytest.mark.parametrize("body", ["x", "[]", "3", '{"TTL": 10}', '{"LockDelay": 1e400}', '{"LockDelay": "soon"}'])
def test_what_is_no_session(registry: Embedded, body: str) -> None:
    answer = registry.client.put("/v1/session/create", content=body)
    assert answer.status_code == 400
    assert answer.text.startswith("Request decode failed: ")


@pytest.mark.parametrize(
    ("given", "nanoseconds"),
    [(5, 5 * 10**9), (15 * 10**9, 15 * 10**9), ("2m", 120 * 10**9), ("0s", 0), (True, 0), (None, 15 * 10**9)],
)
def test_lock_delays_as_clients_write_them(registry: Embedded, given: object, nanoseconds: int) -> None:
    session = create(registry, LockDelay=given, NotKnown=1)
    assert registry.get(f"/v1/session/info/{session}")[0]["LockDelay"] == nanoseconds


def test_a_transaction_is_answered_as_a_whole(registry: Embedded) -> None:
    made = [{"KV": {"Verb": "set", "Key": "t/a", "Value": "aGVsbG8="}}, {"KV": {"Verb": "get", "Key": "t/a"}}]
    done = registry.client.put("/v1/txn", json=made)
    assert [row["KV"]["Value"] for row in done.json()["Results"]] == [None, "aGVsbG8="]
    assert "X-Consul-Knownleader" not in done.headers
    read = registry.client.put("/v1/txn", json=made[1:])
    assert list(read.json()) == ["Results", "Errors", "Index", "LastContact", "KnownLeader", "ConsistencyLevel"]
    assert read.headers["X-Consul-Knownleader"] == "true"
    bad = registry.client.put("/v1/txn", json=[*made, {"KV": {"Verb": "check-index", "Key": "t/a", "Index": 1}}])
    assert (bad.status_code, bad.json()["Results"], bad.json()["Errors"][0]["OpIndex"]) == (409, None, 2)
    waiting = Waiters(registry).wait("/v1/kv/t/?recurse")
    registry.put("/v1/txn", [{"KV": {"Verb": "delete-tree", "Key": "t/"}}, {"KV": {"Verb": "set", "Key": "t/b"}}])
    assert [row["Key"] for row in waiting.result(TIMEOUT).json()] == ["t/b"]


def test_a_transaction_has_limits(registry: Embedded) -> None:
    many = registry.client.put("/v1/txn", json=[{"KV": {"Verb": "get", "Key": "a"}}] * 65)
    assert (many.status_code, many.text) == (413, "Transaction contains too many operations (65 > 64)")
    large = registry.client.put("/v1/txn", content=b" " * 524289)
    chunked = registry.client.put("/v1/txn", content=iter([b" " * 300_000] * 2))
    assert [large.status_code, chunked.status_code] == [413, 413]
    assert "txn_max_req_len" in large.text


def test_events_are_waited_for_by_name(registry: Embedded) -> None:
    """Spring Cloud fires by POST and lists at /v1/events."""
    waiters = Waiters(registry)
    deploy, other = waiters.wait("/v1/event/list?name=deploy"), waiters.wait("/v1/event/list?name=other")
    fired = registry.client.post("/v1/event/fire/deploy", content=b"payload").json()
    found = deploy.result(TIMEOUT)
    assert [event["ID"] for event in found.json()] == [fired["ID"]]
    assert not other.done()
    assert registry.get("/v1/events")[-1]["Payload"] == "cGF5bG9hZA=="
    registry.put("/v1/event/fire/other")
    assert [event["Name"] for event in other.result(TIMEOUT).json()] == ["other"]
