"""Paths, queries, indexes, and keys of the KV store."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.consul.errors import GarbageError
from sampan.consul.wire import Answer, Decoder, Entry, entries, index_of, key_path, path, query_text


def test_a_name_is_one_segment_whatever_it_holds() -> None:
    assert path("health", "service", "a/../b c?d#e%") == "/v1/health/service/a%2F..%2Fb%20c%3Fd%23e%25"
    assert path("health", "service", "go.micro.api") == "/v1/health/service/go.micro.api"


def test_slashes_of_a_key_are_slashes() -> None:
    assert key_path("a/b c/ü") == "/v1/kv/a/b%20c/%C3%BC"


def test_a_parameter_may_be_there_twice() -> None:
    assert query_text({"tag": ("a", "b&c"), "dc": "dc1"}) == "tag=a&tag=b%26c&dc=dc1"


@pytest.mark.parametrize(("text", "index"), [("17", 17), ("", 0), ("-1", 0), ("x", 0), ("1" * 30, 0), ("٣", 0)])
def test_an_index_that_is_none_is_0(text: str, index: int) -> None:
    assert index_of({"X-Consul-Index": text}) == index
    assert index_of({}) == 0


def test_keys() -> None:
    body = [
        {"LockIndex": 1, "Key": "b", "Flags": 7, "Value": "eA==", "CreateIndex": 3, "ModifyIndex": 5, "Session": "s"},
        {"LockIndex": 0, "Key": "a", "Flags": 0, "Value": None, "CreateIndex": 2, "ModifyIndex": 2},
    ]
    found = entries(Answer(200, 5, body))
    assert found == (Entry("a", b"", 2, 2), Entry("b", b"x", 5, 3, 1, 7, "s"))
    assert "x" not in repr(found[1]).replace("modify_index", "").replace("create_index", "").replace("lock_index", "")


def test_no_key_is_no_error() -> None:
    assert entries(Answer(404, 5, None)) == ()


@pytest.mark.parametrize(
    "body",
    [{"a": 1}, "x", [1], [{"Key": "a"}], [{"Key": "a", "Value": "!"}], [{"Key": "a", "Value": "", "Flags": "x"}]],
)
def test_nonsense_is_named(body: Any) -> None:
    with pytest.raises(GarbageError):
        entries(Answer(200, 5, body))


def test_what_is_the_same_in_the_next_answer_is_not_decoded_again() -> None:
    def item(key: str, value: str, index: int) -> dict[str, Any]:
        return {"Key": key, "Value": value, "ModifyIndex": index}

    decoder = Decoder()
    first = decoder.entries(Answer(200, 5, [item("b", "Yg==", 2), item("a", "YQ==", 1)]))
    second = decoder.entries(Answer(200, 6, [item("a", "YQ==", 1), item("b", "Qg==", 2)]))
    assert [entry.value for entry in first] == [b"a", b"b"]
    assert [entry.value for entry in second] == [b"a", b"B"], "another Consul may have the same index for another value"
    assert second[0] is first[0]
    assert decoder.entries(Answer(404, 7, None)) == ()
    with pytest.raises(GarbageError):
        decoder.entries(Answer(200, 8, [item("a", "YQ==", 1) | {"Key": ["a"], "Value": 1}]))
