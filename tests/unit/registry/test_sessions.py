"""Sessions and locks: what is refused, what ends a session, and what becomes of its locks. No time passes here."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.registry import registry as registries
from sampan.registry.identity import Identity
from sampan.registry.locks import LockError
from sampan.registry.session_row import SessionError, SessionRow, Wanted
from sampan.registry.trees import KeyRow

IDENTITY = Identity("laptop", "6e1ad1a2-1f0c-4a4b-9d3c-8c1f0b9d1c11")
SECOND = 1_000_000_000


class Place:
    """A registry whose clock is a number."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.registry = registries.build(IDENTITY, clock=lambda: self.now)

    def create(self, **wanted: Any) -> SessionRow:
        with self.registry.tables.write() as write:
            return self.registry.sessions.create(write, Wanted(**wanted))  # type: ignore[typeddict-item]

    def destroy(self, session: SessionRow) -> None:
        with self.registry.tables.write() as write:
            self.registry.sessions.destroy(write, session["ID"])

    def lock(self, key: str, session: SessionRow, value: str = "MQ==") -> KeyRow | None:
        """As a client does: not within the lock-delay."""
        locks = self.registry.sessions.locks
        if locks.delayed(key):
            return None
        with self.registry.tables.write() as write:
            return locks.lock(write, key, value, 0, session["ID"])

    def unlock(self, key: str, session: SessionRow) -> KeyRow | None:
        with self.registry.tables.write() as write:
            return self.registry.sessions.locks.unlock(write, key, "Mg==", 0, session["ID"])

    def set(self, key: str, value: str) -> KeyRow:
        with self.registry.tables.write() as write:
            return self.registry.keys.set(write, key, value)

    def holder(self, key: str) -> str | None:
        row = self.registry.keys.get(key)
        assert row is not None
        return row.get("Session")

    def check(self, status: Any, node: str = "other") -> None:
        with self.registry.tables.write() as write:
            self.registry.catalog.register_node(write, node, "10.0.0.1")
            self.registry.catalog.register_check(write, node, "disk", name="disk", status=status)

    def there(self, session: SessionRow) -> bool:
        return self.registry.sessions.exists(session["ID"])


@pytest.fixture
def place() -> Place:
    return Place()


def test_a_session_has_consuls_defaults(place: Place) -> None:
    session = place.create()
    assert session == {
        "ID": session["ID"],
        "Name": "",
        "Node": "laptop",
        "LockDelay": 15 * SECOND,
        "Behavior": "release",
        "TTL": "",
        "NodeChecks": ["serfHealth"],
        "ServiceChecks": None,
        "CreateIndex": place.registry.tables.index,
        "ModifyIndex": place.registry.tables.index,
    }
    assert place.registry.sessions.of_node("LAPTOP") == [session]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"TTL": "9.999s"}, "Invalid Session TTL '9999000000', must be between [10s=24h0m0s]"),
        ({"TTL": "24h1s"}, "must be between"),
        ({"TTL": "9" * 400 + "s"}, "invalid: time: invalid duration"),
        ({"TTL": "x"}, "Session TTL 'x' invalid: time: invalid duration \"x\""),
        ({"Behavior": "keep"}, "Invalid Behavior setting 'keep'"),
        ({"Node": ""}, "Must provide Node"),
        ({"Node": "nowhere"}, "Missing node registration"),
        ({"NodeChecks": ["disk"]}, "Missing check 'disk' registration"),
        ({"ServiceChecks": [{"ID": "disk", "Namespace": ""}]}, "Missing check 'disk' registration"),
    ],
)
def test_what_is_refused(place: Place, wanted: dict[str, Any], words: str) -> None:
    index = place.registry.tables.index
    with pytest.raises(SessionError) as told:
        place.create(**wanted)
    assert words in str(told.value)
    assert (place.registry.sessions.all(), place.registry.tables.index) == ([], index)


@pytest.mark.parametrize("ttl", ["", "0s", "10s", "24h"])
def test_times_to_live_that_are_allowed(place: Place, ttl: str) -> None:
    assert place.create(TTL=ttl)["TTL"] == ttl


def test_one_session_holds_a_key(place: Place) -> None:
    one, two = place.create(), place.create()
    row = place.lock("k", one)
    assert row is not None
    assert (row["LockIndex"], row.get("Session")) == (1, one["ID"])
    assert place.lock("k", one) is row, "it holds it already"
    assert place.lock("k", two) is None
    assert place.unlock("k", two) is None
    free = place.unlock("k", one)
    assert free is not None
    assert (free["LockIndex"], free["Value"], free.get("Session")) == (1, "Mg==", None)
    taken = place.lock("k", two)
    assert taken is not None
    assert taken["LockIndex"] == 2


def test_a_plain_set_keeps_the_holder(place: Place) -> None:
    """And forgets how often the key was locked, as Consul's does (kvsSetTxn; seen with 1.8.7)."""
    session = place.create()
    place.lock("k", session)
    row = place.set("k", "Mw==")
    assert (row.get("Session"), row["LockIndex"]) == (session["ID"], 0)


@pytest.mark.parametrize(
    ("session", "words"),
    [
        ("", "missing session"),
        ("x", "failed session lookup: index error: UUID must be 36 characters"),
        ("f2cb9f51-4c0e-4cb3-9d4d-5c4d5ff1b2a0", 'invalid session "f2cb9f51-4c0e-4cb3-9d4d-5c4d5ff1b2a0"'),
    ],
)
def test_only_a_session_locks(place: Place, session: str, words: str) -> None:
    with pytest.raises(LockError) as told, place.registry.tables.write() as write:
        place.registry.sessions.locks.lock(write, "k", None, 0, session)
    assert str(told.value) == words


def test_the_end_of_a_session_frees_its_keys_after_the_lock_delay(place: Place) -> None:
    one, two = place.create(LockDelay=5 * SECOND), place.create()
    place.lock("k", one)
    place.destroy(one)
    assert place.holder("k") is None
    place.now += 4.9
    assert place.lock("k", two) is None
    place.now += 0.2
    assert place.lock("k", two) is not None


def test_a_lock_delay_is_a_minute_at_most(place: Place) -> None:
    one, two = place.create(LockDelay=3600 * SECOND), place.create()
    place.lock("k", one)
    place.destroy(one)
    place.now += 60.1
    assert place.lock("k", two) is not None


def test_a_release_has_no_delay(place: Place) -> None:
    one, two = place.create(), place.create()
    place.lock("k", one)
    place.unlock("k", one)
    assert place.lock("k", two) is not None


def test_a_session_may_take_its_keys_with_it(place: Place) -> None:
    one = place.create(Behavior="delete", LockDelay=0)
    place.lock("mine", one)
    place.set("other", "MQ==")
    place.destroy(one)
    assert [row["Key"] for row in place.registry.keys.under("")] == ["other"]
    assert place.lock("mine", place.create()) is not None


def test_lock_delays_that_are_over_are_forgotten(place: Place) -> None:
    for _ in range(600):
        session = place.create(LockDelay=SECOND)
        place.lock(f"k/{session['ID']}", session)
        place.destroy(session)
        place.now += 2
    assert len(place.registry.sessions.locks.delays.rows) <= 300


def test_a_failed_write_takes_a_lock_delay_back(place: Place) -> None:
    one = place.create()
    place.lock("k", one)

    def fails() -> None:
        with place.registry.tables.write() as write:
            place.registry.sessions.destroy(write, one["ID"])
            raise LookupError

    with pytest.raises(LookupError):
        fails()
    assert place.there(one)
    assert place.holder("k") == one["ID"]
    assert not place.registry.sessions.locks.delayed("k")


def test_a_check_that_fails_ends_its_sessions(place: Place) -> None:
    place.check("passing")
    bound = place.create(Node="other", NodeChecks=["disk"], Checks=["serfHealth"])
    free = place.create(Node="other", Checks=[])
    place.lock("k", bound)
    place.check("warning")
    assert place.there(bound)
    place.check("critical")
    assert (place.there(bound), place.there(free), place.holder("k")) == (False, True, None)
    with pytest.raises(SessionError, match="Check 'disk' is in critical state"):
        place.create(Node="other", NodeChecks=["disk"], Checks=["serfHealth"])


def test_a_check_or_a_node_that_goes_ends_its_sessions(place: Place) -> None:
    place.check("passing")
    bound = place.create(Node="other", NodeChecks=["disk"], Checks=["serfHealth"])
    free = place.create(Node="Other", Checks=[])
    elsewhere = place.create()
    with place.registry.tables.write() as write:
        place.registry.catalog.deregister_check(write, "other", "disk")
    assert (place.there(bound), place.there(free)) == (False, True)
    with place.registry.tables.write() as write:
        place.registry.catalog.deregister_node(write, "other")
    assert (place.there(free), place.there(elsewhere)) == (False, True)


def test_a_session_ends_after_its_time_and_not_before(place: Place) -> None:
    sessions = place.registry.sessions
    one, endless = place.create(TTL="10s"), place.create()
    assert sessions.deadlines.left() == pytest.approx(11)
    place.now += 10
    assert sessions.expired() == []
    sessions.renew(one)
    place.now += 10.5
    assert sessions.expired() == []
    place.now += 1
    assert sessions.expired() == [one["ID"]]
    assert place.there(endless)


def test_an_end_that_could_not_be_written_is_told_again(place: Place) -> None:
    one = place.create(TTL="10s")
    place.now += 20
    assert place.registry.sessions.expired() == [one["ID"]]
    assert place.registry.sessions.expired() == []
    place.now += 1.5
    assert place.registry.sessions.expired() == [one["ID"]]
    place.destroy(one)
    place.now += 1.5
    assert place.registry.sessions.expired() == []


def test_sessions_that_came_and_went_leave_no_deadlines(place: Place) -> None:
    for _ in range(500):
        place.destroy(place.create(TTL="24h"))
        place.registry.sessions.expired()
    assert len(place.registry.sessions.deadlines) <= 65


def test_after_a_restart_a_session_has_its_whole_time() -> None:
    place = Place()
    row = place.create(TTL="10s")
    place.now += 9
    place.registry.sessions.begin()
    place.now += 3
    assert place.registry.sessions.expired() == []
    place.now += 9
    assert place.registry.sessions.expired() == [row["ID"]]
