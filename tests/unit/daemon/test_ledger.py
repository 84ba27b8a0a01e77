"""Generations and transition times without an API server, in memory and over a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from sampan.daemon.database import Database
from sampan.daemon.ledger import Ledger
from sampan.daemon.refusals import Refusal
from sampan.envoy.types import ROUTE as ROUTE_TYPE
from sampan.model.meta import Meta, Object
from sampan.model.names import GATEWAY_API, SAMPAN, Ref
from sampan.model.snapshot import Change
from sampan.model.status import Condition, ParentStatus, Status
from sampan.sources.last_good import Saved

ROUTE = Ref(GATEWAY_API, "HTTPRoute", "default", "shop")


def route(spec: str, text: str = "") -> Object:
    return Object(ROUTE, Meta(), spec, text or spec)


def change(new: Object | None, old: Object | None = None) -> Change:
    return Change({ROUTE: (old, new)})


def test_a_generation_counts_changes_of_the_spec_and_nothing_else() -> None:
    ledger = Ledger()
    first, relabelled, edited = route("a", "a"), route("a", "a # label"), route("b", "b")
    seen = []
    for item in (first, relabelled, edited):
        ledger.observe(change(item))
        seen.append(ledger.generation(item))
    assert seen == [1, 1, 2]


def test_the_documents_own_generation_is_believed() -> None:
    item = Object(ROUTE, Meta(generation=7), "a", "a")
    assert Ledger().generation(item) == 7


def test_an_object_that_went_starts_again() -> None:
    ledger = Ledger()
    ledger.observe(change(route("a")))
    ledger.observe(change(route("b")))
    ledger.observe(change(None))
    ledger.observe(change(route("c")))
    assert ledger.generation(route("c")) == 1


def test_instances_leave_nothing_to_write() -> None:
    ledger, ref = Ledger(), Ref(SAMPAN, "Instance", "default", "shop@n1/1")
    for new in (Object(ref, Meta(), "a"), Object(ref, Meta(), "b"), None):
        ledger.observe(Change({ref: (None, new)}))
    assert not ledger.dirty_generations


def accepted(status: str, reason: str = "x") -> Status:
    return Status(parents=(ParentStatus({}, (Condition("Accepted", status, reason),)),))  # type: ignore[arg-type]


def test_a_transition_time_moves_only_when_the_status_does() -> None:
    ledger = Ledger()
    steps = [accepted("True"), accepted("True", "other reason"), accepted("False")]
    before: dict[Ref, Status] = {}
    times = []
    for minute, status in enumerate(steps):
        after = {ROUTE: status}
        ledger.observe_statuses(before, after, f"2026-01-01T00:0{minute}:00Z")
        times.append(ledger.since(ROUTE, "parents/0", "Accepted"))
        before = after
    assert times == ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-01T00:02:00Z"]


def save(ledger: Ledger, database: Database) -> None:
    database.save_ledger(
        {ref: ledger.generations.get(ref) for ref in ledger.dirty_generations},
        {key: ledger.transitions.get(key) for key in ledger.dirty_transitions},
    )


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    database = Database(path)
    ledger = database.load_ledger()
    ledger.observe(change(route("a")))
    ledger.observe(change(route("b")))
    ledger.observe_statuses({}, {ROUTE: accepted("True")}, "2026-01-01T00:00:00Z")
    save(ledger, database)
    database.close()

    database = Database(path)
    again = database.load_ledger()
    again.observe(change(route("b")))
    assert again.generation(route("b")) == 2
    assert again.since(ROUTE, "parents/0", "Accepted") == "2026-01-01T00:00:00Z"
    again.observe(change(None))
    again.dirty_transitions.add((ROUTE, "parents/0", "Accepted"))
    save(again, database)
    assert database.load_ledger().generations == {}
    assert database.load_ledger().transitions == {}
    database.close()


@pytest.mark.parametrize(
    "content", [b"not a database at all, only text" * 200, b"SQLite format 3\x00" + b"\x01" * 4096]
)
def test_a_foreign_or_torn_file_is_set_aside(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(content)
    database = Database(path)
    assert database.load_last_good().saved == {}
    assert (tmp_path / "state.db.unreadable").read_bytes() == content
    assert "unreadable" in database.notice
    database.close()


def test_the_file_is_private(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db")
    assert (tmp_path / "state.db").stat().st_mode & 0o777 == 0o600
    database.close()


def test_refused_parts_and_last_good_documents_come_back(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db")
    refused = (Refusal("k1", ROUTE_TYPE, "rule", "bad regex", b"stand-in"), Refusal("k2", ROUTE_TYPE, "other", "bad"))
    database.save_refused("default/shop", refused)
    database.save_refused("default/other", ())
    saved = Saved(ROUTE, "kind: HTTPRoute", 3, (("tls.key", b"\x00\xff"),))
    database.save_last_good({("files", "a.yaml"): (saved,), ("files", "b.yaml"): (saved, saved)})
    database.save_last_good({("files", "b.yaml"): ()})
    assert database.load_refused() == {"default/shop": refused}
    assert database.load_last_good().saved == {("files", "a.yaml"): (saved,)}
    database.close()


def test_what_a_registry_said_last_comes_back(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db")
    database.save_registered("consul", {"/web": b"one", "/gone": b"two"})
    database.save_registered("other", {"/web": b"three"})
    database.save_registered("consul", {"/web": b"four", "/gone": None})
    database.close()
    database = Database(tmp_path / "state.db")
    assert database.load_registered("consul") == {"/web": b"four"}
    assert database.load_registered("other") == {"/web": b"three"}
    database.close()
