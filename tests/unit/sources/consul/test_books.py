"""What is known of all services, as answers come in whatever order."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.consul.errors import GarbageError
from sampan.consul.wire import Answer
from sampan.sources.consul.books import Books
from sampan.sources.consul.convert import Key, Registered, Setting, registered
from sampan.sources.consul.states import Affected

from .answers import check, entry

WEB, API = Key("", "web"), Key("", "api")


def answer(index: int, *entries: dict[str, Any]) -> Answer:
    return Answer(200, index, list(entries))


def books(*kept: Registered) -> Books:
    found = Books(Setting(datacenter="dc1"), kept)
    found.list("", ["consul", "web", "api"])
    return found


def test_a_catalogue_says_what_is_new_and_what_is_gone() -> None:
    found = Books(Setting())
    assert found.list("", ["consul", "web", "api"]) == ({WEB, API}, set())
    assert found.list("dc2", ["web"]) == ({Key("dc2", "web")}, set())
    assert found.list("", ["web", "x"]) == ({Key("", "x")}, {API})
    assert found.keys == {WEB, Key("", "x"), Key("dc2", "web")}


def test_what_was_kept_and_is_in_no_catalogue_is_gone() -> None:
    found = Books(Setting(), [registered(API, [entry()], Setting(datacenter="dc9"))])
    assert found.setting.datacenter == "dc9"
    assert found.list("", ["web"]) == ({WEB}, {API})
    assert found.items == {}


def test_first_answers_are_no_changes() -> None:
    found = books()
    assert found.take(WEB, answer(5, entry(port=1)), False)
    assert found.unread == {API}
    assert found.changed == {}
    assert found.take(WEB, answer(6, entry(port=2)), False)
    assert found.changed == {WEB: 1}


def test_an_answer_that_is_older_than_what_is_known_is_none() -> None:
    found = books()
    found.take(WEB, answer(10, entry(port=1)), False)
    assert not found.take(WEB, answer(9, entry(port=2)), False)
    assert not found.take(WEB, answer(10, entry(port=2)), False)
    # A watch sees to it itself; and after a restart of the server indexes begin anew.
    assert found.take(WEB, answer(9, entry(port=2)), True)
    found.start_over("")
    assert found.take(WEB, answer(2, entry(port=3)), False)


def test_an_answer_without_instances_takes_none_away() -> None:
    found = books()
    found.take(WEB, answer(10, entry()), True)
    before = found.items[WEB]
    assert not found.take(WEB, answer(11), True)
    assert found.items[WEB] is before
    assert found.list("", ["api"]) == (set(), {WEB})
    assert WEB not in found.items


def test_an_answer_for_what_is_in_no_catalogue_is_none() -> None:
    assert not books().take(Key("", "other"), answer(5, entry()), True)


def test_an_answer_that_cannot_be_read_leaves_all_as_it_was() -> None:
    found = books()
    found.take(WEB, answer(10, entry()), True)
    before = found.items[WEB]
    with pytest.raises(GarbageError):
        found.take(WEB, Answer(200, 11, {"no": "list"}), True)
    assert found.items[WEB] is before
    assert found.indexes[WEB] == 10


def test_whose_health_may_have_changed() -> None:
    found = books()
    found.list("dc2", ["web"])
    found.take(WEB, answer(1, entry()), True)
    found.take(API, answer(1, entry(name="api", node={"Node": "n2"}, checks=(check("critical"),))), True)
    found.take(Key("dc2", "web"), answer(1, entry(node={"Node": "n2"})), True)
    assert found.affected("", Affected(frozenset({"web", "unknown"}))) == {WEB}
    assert found.affected("", Affected(nodes=frozenset({"n2"}))) == {API}
    assert found.unhealthy("") == {API}
