"""User events: what is refused, which are received, how many are kept, what stands for their index."""

from __future__ import annotations

from base64 import b64encode

import pytest

from sampan.registry.events import EventError, Events, event, index_of

SERVICES = [("web", ["v1", "green"]), ("db", [])]


def test_the_last_are_kept_in_order() -> None:
    events = Events()
    for number in range(300):
        assert events.fire(event(f"e{number % 3}", None), "laptop", SERVICES)
    kept = events.named("")
    assert len(kept) == 256
    assert [one["Name"] for one in kept[-3:]] == ["e0", "e1", "e2"]
    assert [one["LTime"] for one in kept] == list(range(46, 302))
    assert {one["Name"] for one in events.named("e1")} == {"e1"}


@pytest.mark.parametrize(
    ("filters", "received"),
    [
        ({}, True),
        ({"node": "^lap"}, True),
        ({"node": "^top"}, False),
        ({"service": "w.b"}, True),
        ({"service": "cache"}, False),
        ({"service": "web", "tag": "green"}, True),
        ({"service": "db", "tag": "green"}, False),
        ({"node": "top$", "service": "web", "tag": "^v"}, True),
    ],
)
def test_filters(filters: dict[str, str], received: bool) -> None:
    events = Events()
    assert events.fire(event("deploy", "cGF5bG9hZA==", **filters), "laptop", SERVICES) is received
    assert len(events.named("")) == received


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ({"tag": "green"}, "Cannot provide tag filter without service filter"),
        ({"node": "("}, "Invalid node filter: error parsing regexp: "),
        ({"service": "(?=x)"}, "Invalid service filter: error parsing regexp: "),
        ({"service": "x", "tag": "["}, "Invalid tag filter: error parsing regexp: "),
    ],
)
def test_what_is_refused(filters: dict[str, str], words: str) -> None:
    events = Events()
    with pytest.raises(EventError) as told:
        events.fire(event("deploy", None, **filters), "laptop", SERVICES)
    assert str(told.value).startswith(words)
    assert events.named("") == []


def test_the_index_is_made_of_the_last_ones_id() -> None:
    """As Consul 1.8.7 answered for this id."""
    one = event("deploy", None)
    one["ID"] = "7c75d4eb-ee7a-1317-3594-5e70e04de090"
    assert index_of([event("before", None), one]) == 5323688633091748743
    assert index_of([]) == 1


@pytest.mark.parametrize(
    ("name", "length", "filters"),
    [
        ("big", 410, {}),
        ("b", 414, {}),
        ("bigbigbig", 398, {}),
        ("big", 404, {"node": "vm"}),
        ("big", 400, {"service": "consul"}),
    ],
)
def test_an_event_is_small(name: str, length: int, filters: dict[str, str]) -> None:
    """The lengths are the largest that the real one takes."""
    events = Events()
    events.fire(event(name, b64encode(b"x" * length).decode(), **filters), "vm", [("consul", [])])
    with pytest.raises(EventError, match="exceeds configured limit of 512 bytes"):
        events.fire(event(name, b64encode(b"x" * (length + 1)).decode(), **filters), "vm", [("consul", [])])
    assert len(events.named("")) == 1
