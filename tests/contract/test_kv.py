"""Keys and values."""

from __future__ import annotations

import pytest

from .both import Both

pytestmark = pytest.mark.consul

LARGEST = 512 * 1024


def test_written_and_read(both: Both) -> None:
    both.put("/v1/kv/a", content=b"one")
    both.get("/v1/kv/a")
    both.get("/v1/kv/a?raw")
    both.put("/v1/kv/a", content=b"two")
    both.get("/v1/kv/a")
    both.get("/v1/kv/nope", 404)
    both.get("/v1/kv/nope?raw", 404)


def test_the_same_again(both: Both) -> None:
    both.put("/v1/kv/a", content=b"one")
    both.get("/v1/kv/a")
    both.put("/v1/kv/a", content=b"one")
    both.get("/v1/kv/a")


@pytest.mark.parametrize("value", [b"", b"\x00\xff", "ü".encode(), b"<&>\"'", b"\n"])
def test_any_bytes(both: Both, value: bytes) -> None:
    both.put("/v1/kv/bytes", content=value)
    both.get("/v1/kv/bytes")
    both.get("/v1/kv/bytes?raw")


@pytest.mark.parametrize(
    "key", ["a/b/c", "a b", "ü", "a%2Fb", "a%3Fb", "a+b", "a:b@c", "a/", "%25", "~", "a;b", "a&b=c"]
)
def test_odd_keys(both: Both, key: str) -> None:
    path = f"/v1/kv/{key}"
    both.put(path, content=b"x")
    both.get("/v1/kv/?recurse")
    both.get(path)
    both.delete(path)
    both.get(path, 404)


@pytest.mark.parametrize("key", ["a//b", "."])
def test_keys_that_are_no_clean_paths(both: Both, key: str) -> None:
    both.put(f"/v1/kv/{key}", 301, content=b"x")
    both.get(f"/v1/kv/{key}", 301)


def test_largest(both: Both) -> None:
    both.put("/v1/kv/large", content=b"x" * LARGEST)
    both.get("/v1/kv/large?raw")
    both.put("/v1/kv/larger", 413, content=b"x" * (LARGEST + 1))
    both.get("/v1/kv/larger", 404)


def test_flags(both: Both) -> None:
    both.put("/v1/kv/a?flags=42", content=b"x")
    both.get("/v1/kv/a")
    both.put("/v1/kv/a", content=b"x")
    both.get("/v1/kv/a")
    both.put("/v1/kv/b?flags=18446744073709551615", content=b"x")
    both.get("/v1/kv/b")
    for flags in ("18446744073709551616", "-1", "x", "0x1"):
        both.put(f"/v1/kv/c?flags={flags}", 500, content=b"x")
    both.put("/v1/kv/c?flags=", 500, content=b"x")


def test_cas(both: Both) -> None:
    both.put("/v1/kv/a?cas=0", content=b"first")
    both.put("/v1/kv/a?cas=0", content=b"again")
    both.keep("index", both_first(both, "/v1/kv/a"), "ModifyIndex")
    both.put("/v1/kv/a?cas={index}", content=b"second")
    both.put("/v1/kv/a?cas={index}", content=b"third")
    both.get("/v1/kv/a?raw")
    both.put("/v1/kv/a?cas=999999999", content=b"ahead")
    both.get("/v1/kv/a?raw")
    both.put("/v1/kv/b?cas=1", content=b"x")
    both.get("/v1/kv/b", 404)
    both.put("/v1/kv/a?cas=x", 500, content=b"x")


def both_first(both: Both, path: str) -> list[object]:
    """Answers whose JSON is the first entry."""
    return [_First(answer.json()[0]) for answer in both.get(path)]


class _First:
    def __init__(self, entry: object) -> None:
        self._entry = entry

    def json(self) -> object:
        return self._entry


def test_delete(both: Both) -> None:
    for key in ("a", "a/b", "a/c", "ab", "b"):
        both.put(f"/v1/kv/{key}", content=b"x")
    both.delete("/v1/kv/b")
    both.delete("/v1/kv/b")
    both.get("/v1/kv/b", 404)
    both.delete("/v1/kv/a/?recurse")
    both.get("/v1/kv/?keys")
    both.delete("/v1/kv/a?recurse=true")
    both.get("/v1/kv/?keys")
    both.delete("/v1/kv/", 400)


def test_delete_cas(both: Both) -> None:
    both.put("/v1/kv/a", content=b"x")
    both.keep("index", both_first(both, "/v1/kv/a"), "ModifyIndex")
    both.delete("/v1/kv/a?cas=1")
    both.delete("/v1/kv/a?cas=999999999")
    both.delete("/v1/kv/a?cas=0")
    both.delete("/v1/kv/a?cas=x", 500)
    both.get("/v1/kv/a?raw")
    both.delete("/v1/kv/a?cas={index}")
    both.get("/v1/kv/a", 404)
    both.delete("/v1/kv/a?cas={index}")
    both.delete("/v1/kv/a?cas=1&recurse", 400)


def test_recurse(both: Both) -> None:
    for key in ("z", "a", "a/b", "a/b/c", "a/d", "ab"):
        both.put(f"/v1/kv/{key}", content=key.encode())
    for prefix in ("", "a", "a/", "a/b", "nope"):
        both.get(f"/v1/kv/{prefix}?recurse", 404 if prefix == "nope" else 200)
        both.get(f"/v1/kv/{prefix}?recurse=true&raw", 404 if prefix == "nope" else 200)


def test_keys(both: Both) -> None:
    for key in ("z", "a", "a/b", "a/b/c", "a/d", "ab", "a/d/e/f", "x-1-2"):
        both.put(f"/v1/kv/{key}", content=b"x")
    for query in ("keys", "keys=true", "keys&separator=/", "keys&separator=-", "keys&separator=b", "keys&separator="):
        for prefix in ("", "a", "a/", "nope"):
            both.get(f"/v1/kv/{prefix}?{query}", 404 if prefix == "nope" else 200)


def test_keys_and_recurse(both: Both) -> None:
    both.put("/v1/kv/a", content=b"x")
    both.get("/v1/kv/a?keys&recurse")
    both.get("/v1/kv/?recurse&separator=/")


def test_without_a_key(both: Both) -> None:
    both.get("/v1/kv/", 400)
    both.put("/v1/kv/", 400, content=b"x")
    both.get("/v1/kv", 301)


def test_locks(both: Both) -> None:
    both.keep("mine", both.put("/v1/session/create", json={"LockDelay": "0s"}), "ID")
    both.keep("theirs", both.put("/v1/session/create", json={"LockDelay": "0s"}), "ID")
    both.put("/v1/kv/lock?acquire={mine}", content=b"me")
    both.get("/v1/kv/lock")
    both.put("/v1/kv/lock?acquire={mine}", content=b"me again")
    both.get("/v1/kv/lock")
    both.put("/v1/kv/lock?acquire={theirs}", content=b"them")
    both.put("/v1/kv/lock?release={theirs}", content=b"them")
    both.put("/v1/kv/lock", content=b"no lock asked")
    both.get("/v1/kv/lock")
    both.put("/v1/kv/lock?release={mine}", content=b"released")
    both.get("/v1/kv/lock")
    both.put("/v1/kv/lock?release={mine}", content=b"released")
    both.put("/v1/kv/lock?acquire={theirs}&flags=7", content=b"them")
    both.get("/v1/kv/lock")


def test_locks_without_a_session(both: Both) -> None:
    both.put("/v1/kv/lock?acquire=nope", 500, content=b"x")
    both.put("/v1/kv/lock?acquire=d1a3d2a6-2f5e-4a8e-8d5e-000000000000", 500, content=b"x")
    both.put("/v1/kv/lock?acquire=", 500, content=b"x")
    both.put("/v1/kv/lock?release=nope", content=b"x")
    both.put("/v1/kv/lock?release=", 500, content=b"x")
    both.keep("session", both.put("/v1/session/create"), "ID")
    both.put("/v1/kv/lock?acquire={session}&release={session}", 400, content=b"x")
    both.put("/v1/kv/lock?acquire={session}&cas=0", 400, content=b"x")
    both.get("/v1/kv/lock", 404)


def test_methods(both: Both) -> None:
    both.put("/v1/kv/a", content=b"x")
    both.call("POST", "/v1/kv/a", 405, content=b"x")
    both.call("PATCH", "/v1/kv/a", 405)
    both.call("OPTIONS", "/v1/kv/a")
    both.call("HEAD", "/v1/kv/a", 405)
