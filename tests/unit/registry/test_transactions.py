"""Transactions: read from JSON, done as one or not at all, with every mistake told."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.registry import registry as registries
from sampan.registry.identity import Identity
from sampan.registry.registration.decode import RegistrationError
from sampan.registry.registry import Registry
from sampan.registry.transactions import operation, read
from sampan.registry.transactions.operation import Outcome

IDENTITY = Identity("laptop", "6e1ad1a2-1f0c-4a4b-9d3c-8c1f0b9d1c11")
NOBODY = "f2cb9f51-4c0e-4cb3-9d4d-5c4d5ff1b2a0"


@pytest.fixture
def registry() -> Registry:
    return registries.build(IDENTITY)


def run(registry: Registry, *operations: dict[str, Any]) -> Outcome:
    return operation.run(registry, read.operations(list(operations)))


def key(verb: str, name: str = "a", **more: Any) -> dict[str, Any]:
    return {"KV": {"Verb": verb, "Key": name, **more}}


def node(verb: str, name: str = "n1", **more: Any) -> dict[str, Any]:
    return {"Node": {"Verb": verb, "Node": {"Node": name, "Address": "10.0.0.1", **more}}}


def service(verb: str, on: str = "n1", **more: Any) -> dict[str, Any]:
    return {"Service": {"Verb": verb, "Node": on, "Service": {"ID": "web1", "Service": "web", **more}}}


def check(verb: str, on: str = "n1", **more: Any) -> dict[str, Any]:
    return {"Check": {"Verb": verb, "Check": {"Node": on, "CheckID": "c1", "Name": "c1", **more}}}


def errors(outcome: Outcome) -> dict[int, str]:
    assert not outcome.results
    return dict(outcome.errors)


def test_operations_see_what_those_before_them_did(registry: Registry) -> None:
    outcome = run(
        registry,
        key("set", Value="aGVsbG8=", Flags=7),
        key("get"),
        key("get-tree", "a"),
        key("check-not-exists", "b"),
        key("delete"),
        key("check-not-exists"),
    )
    index = registry.tables.index
    row = {"LockIndex": 0, "Key": "a", "Flags": 7, "Value": "aGVsbG8=", "CreateIndex": index, "ModifyIndex": index}
    assert outcome.errors == ()
    assert outcome.results == [{"KV": {**row, "Value": None}}, {"KV": row}, {"KV": row}]
    assert registry.keys.under("") == []


def test_one_mistake_undoes_all_and_all_mistakes_are_told(registry: Registry) -> None:
    run(registry, key("set", "old", Value="MQ=="))
    old, index = registry.keys.get("old"), registry.tables.index
    told = errors(
        run(
            registry,
            key("set", "new"),
            key("delete-tree", "o"),
            key("cas", "x", Index=1),
            key("lock", "x", Session=NOBODY),
            key("unlock", "new", Session=NOBODY),
            key("check-session", "new", Session=NOBODY),
            key("check-index", "gone", Index=3),
            key("get", "gone"),
            key("bend", "x"),
            key("check-not-exists", "new"),
            node("set"),
            service("set"),
            service("set", "nowhere"),
            check("set", ServiceID="gone"),
        )
    )
    assert told == {
        2: 'failed to set key "x", index is stale',
        3: f'invalid session "{NOBODY}"',
        4: 'failed to unlock key "new", lock isn\'t held, or is held by another session',
        5: f'failed session check for key "new", current session "" != "{NOBODY}"',
        6: 'failed to check index, key "gone" doesn\'t exist',
        7: 'key "gone" doesn\'t exist',
        8: 'unknown KV verb "bend"',
        9: 'key "new" exists',
        12: "Missing node registration",
        13: "Missing service registration",
    }
    assert registry.keys.under("") == [old]
    assert registry.catalog.node("n1") is None
    assert registry.tables.index == index


def test_what_makes_no_sense_is_told_before_anything_runs(registry: Registry) -> None:
    told = errors(run(registry, key("get", ""), key("get", "gone"), node("set", "")))
    assert told == {0: "Must provide key", 2: "Must provide node"}


def test_compare_and_set_and_delete(registry: Registry) -> None:
    run(registry, key("cas", Value="MQ=="))
    index = registry.tables.index
    assert errors(run(registry, key("delete-cas", Index=index - 1))) == {0: 'failed to delete key "a", index is stale'}
    assert errors(run(registry, key("check-index", Index=1))) == {
        0: f'failed index check for key "a", current modify index {index} != 1'
    }
    assert not run(registry, key("cas", Value="Mg==", Index=index), key("get")).errors
    assert not run(registry, key("delete-cas", Index=registry.tables.index)).errors
    assert registry.keys.get("a") is None


def test_locks(registry: Registry) -> None:
    with registry.tables.write() as write:
        one, two = (registry.sessions.create(write, {"LockDelay": 10**9}) for _ in range(2))
    done = run(registry, key("lock", Session=one["ID"]), key("check-session", Session=one["ID"]))
    assert [result["KV"]["Session"] for result in done.results] == [one["ID"], one["ID"]]
    assert errors(run(registry, key("lock", Session=two["ID"]))) == {0: 'failed to lock key "a", lock is already held'}
    with registry.tables.write() as write:
        registry.sessions.destroy(write, one["ID"])
    assert errors(run(registry, key("lock", Session=two["ID"]))) == {0: 'failed to lock key "a" due to lock delay'}


def test_the_catalogue_and_keys_in_one(registry: Registry) -> None:
    done = run(
        registry,
        node("set", Meta={"zone": "a"}),
        service("set", Port=80, Tags=["v1"]),
        check("set", ServiceID="web1", Status="passing", Definition={"HTTP": "http://x", "Interval": "10s"}),
        key("set"),
    )
    index = registry.tables.index
    assert not done.errors
    assert [list(result) for result in done.results] == [["Node"], ["Service"], ["Check"], ["KV"]]
    shown = done.results[2]["Check"]
    assert (shown["ServiceName"], shown["ServiceTags"], shown["Type"]) == ("web", ["v1"], "")
    assert shown["Definition"] == {"HTTP": "http://x", "Interval": "10s"}
    told = errors(
        run(
            registry,
            node("cas", ModifyIndex=index - 1),
            service("cas", ModifyIndex=index - 1),
            check("cas", ModifyIndex=index - 1),
            node("delete-cas", ModifyIndex=index - 1),
            service("delete-cas", ModifyIndex=index - 1),
            check("delete-cas", ModifyIndex=index - 1),
            node("get", "gone"),
            service("get", "gone"),
            check("get", "gone"),
            node("bend"),
            service("bend"),
            check("bend"),
        )
    )
    assert told == {
        0: 'failed to set node "n1", index is stale',
        1: 'failed to set service "web1" on node "n1", index is stale',
        2: 'failed to set check "c1" on node "n1", index is stale',
        3: 'failed to delete node "n1", index is stale',
        4: 'failed to delete service "web1" on node "n1", index is stale',
        5: 'failed to delete check "c1" on node "n1", index is stale',
        6: 'node "gone" doesn\'t exist',
        7: 'service "web1" on node "gone" doesn\'t exist',
        8: 'check "c1" on node "gone" doesn\'t exist',
        9: 'unknown Node verb "bend"',
        10: 'unknown Service verb "bend"',
        11: 'unknown Check verb "bend"',
    }
    assert not run(registry, check("cas", ModifyIndex=index, ServiceID="web1"), service("delete")).errors
    assert registry.catalog.check("n1", "c1") is None, "it goes with its service"
    assert not run(registry, node("delete"), node("delete")).errors


def test_a_node_is_found_by_its_id(registry: Registry) -> None:
    assert run(registry, node("get", "", ID=IDENTITY.node_id)).results == [{"Node": registry.catalog.node("laptop")}]


def test_a_check_of_our_own_keeps_how_it_is_run(registry: Registry) -> None:
    with registry.tables.write() as write:
        registry.catalog.register_check(write, "laptop", "c1", name="c1", definition={"TTL": 10.0})
    run(registry, check("set", "laptop", Status="passing"))
    assert registry.catalog.definitions.get("c1") == {"TTL": 10.0}


def test_nodes_are_found_whatever_their_case_is(registry: Registry) -> None:
    run(
        registry,
        node("set"),
        service("set", "N1"),
        check("set", "N1", Status="passing"),
        check("set", ServiceID="web1"),
    )
    checks = list(registry.catalog.checks_of("n1", "web1"))
    assert [(row["Node"], row["CheckID"], row["ServiceID"]) for row in checks] == [("n1", "c1", "web1")]
    assert not run(registry, check("get", "N1"), check("delete", "N1")).errors
    assert registry.catalog.check("n1", "c1") is None


def test_our_own_node_stays(registry: Registry) -> None:
    """As in the catalogue's calls: it comes back, without what was on it."""
    before = registry.catalog.node("laptop")
    assert before is not None
    run(registry, node("set", "laptop", Meta={"zone": "a"}), service("set", "laptop"), key("set"))
    after = registry.catalog.node("laptop")
    assert after is not None
    assert (after["Address"], after["Meta"]) == (before["Address"], before["Meta"])
    run(registry, node("delete", "laptop"))
    assert registry.catalog.service("laptop", "web1") is None
    assert registry.catalog.check("laptop", "serfHealth") is not None
    run(registry, {"Check": {"Verb": "delete", "Check": {"Node": "laptop", "CheckID": "serfHealth"}}})
    assert registry.catalog.check("laptop", "serfHealth") is not None
    told = errors(run(registry, node("set", "stranger", ID=IDENTITY.node_id)))
    assert "own node" in told[0]


@pytest.mark.parametrize(
    ("verbs", "writes"),
    [(["get", "get-tree", "check-index", "check-session", "check-not-exists", "bend"], False), (["get", "set"], True)],
)
def test_whether_it_writes(verbs: list[str], writes: bool) -> None:
    assert any(one.writes for one in read.operations([key(verb) for verb in verbs])) is writes


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({}, "json: cannot unmarshal"),
        ([{"Foo": {}}], 'json: unknown field "Foo"'),
        ([key("set", Foo=1)], 'json: unknown field "Foo"'),
        ([key("set", Value="!!")], "illegal base64 data at input byte 0"),
        ([key("set", Value="YQ=")], "illegal base64 data"),
        ([key("set", Flags=-1)], "uint64"),
        ([key("set", Index=True)], "uint64"),
        ([check("set", Definition={"Interval": "soon"})], 'time: invalid duration "soon"'),
    ],
)
def test_what_is_not_understood(value: Any, words: str) -> None:
    with pytest.raises(RegistrationError) as told:
        read.operations(value)
    assert words in str(told.value)


def test_names_of_fields_in_any_case_and_operations_of_nothing() -> None:
    assert read.operations(None) == []
    assert read.operations([{}, {"kv": {"verb": "get", "KEY": "a\ud800"}}, {"KV": None}]) == read.operations(
        [key("get", "a\ufffd")]
    )
