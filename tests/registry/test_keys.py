"""Keys over HTTP: who waits wakes for its key and its prefix, and what was acknowledged is there after a kill."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from base64 import b64decode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import httpx
import pytest

from .embedded import Embedded, embedded, until
from .waiting import Waiters

TIMEOUT = 10


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    with embedded(tmp_path_factory.mktemp("registry")) as running:
        yield running


def put(registry: Embedded, key: str, value: bytes = b"x", query: str = "") -> bool:
    answer = registry.client.put(f"/v1/kv/{key}?{query}", content=value)
    assert answer.status_code == 200, answer.text
    return bool(answer.json())


def delete(registry: Embedded, key: str) -> None:
    assert registry.client.delete(f"/v1/kv/{key}").json() is True


def index_of(answer: httpx.Response) -> int:
    return int(answer.headers["X-Consul-Index"])


def test_who_waits_for_a_key_wakes_for_it_alone(registry: Embedded) -> None:
    put(registry, "one/a")
    put(registry, "one/ab")
    waiters = Waiters(registry)
    of_key, of_other = waiters.wait("/v1/kv/one/a"), waiters.wait("/v1/kv/one/ab?raw")
    put(registry, "one/ab", b"y")
    assert of_other.result(TIMEOUT).content == b"y"
    assert not of_key.done()
    delete(registry, "one/a")
    gone = of_key.result(TIMEOUT)
    assert (gone.status_code, gone.content) == (404, b"")


def test_a_key_that_is_not_there_yet_can_be_waited_for(registry: Embedded) -> None:
    waiters = Waiters(registry)
    before = registry.client.get("/v1/kv/soon")
    waiting = waiters.wait("/v1/kv/soon")
    put(registry, "soon-not")
    put(registry, "soon", b"here")
    found = waiting.result(TIMEOUT)
    assert b64decode(found.json()[0]["Value"]) == b"here"
    assert index_of(found) == found.json()[0]["ModifyIndex"] > index_of(before)


def test_who_waits_for_a_prefix_wakes_for_what_is_under_it(registry: Embedded) -> None:
    put(registry, "tree/a/1")
    put(registry, "tree/b/1")
    waiters = Waiters(registry)
    paths = ("/v1/kv/tree/a/?recurse", "/v1/kv/tree/b?keys", "/v1/kv/tree/c/?recurse", "/v1/kv/?recurse")
    a, b, c, everything = map(waiters.wait, paths)
    put(registry, "tree/a/2")
    assert [row["Key"] for row in a.result(TIMEOUT).json()] == ["tree/a/1", "tree/a/2"]
    assert everything.result(TIMEOUT).status_code == 200
    assert [b.done(), c.done()] == [False, False]
    again = waiters.wait("/v1/kv/tree/a/?recurse")
    delete(registry, "tree/a/1")
    assert index_of(again.result(TIMEOUT)) > index_of(a.result())
    a = waiters.wait("/v1/kv/tree/a/?recurse")
    delete(registry, "tree/?recurse")
    assert a.result(TIMEOUT).status_code == b.result(TIMEOUT).status_code == 404
    assert not c.done(), "there was nothing under it before, and is nothing now"
    put(registry, "tree/c/1")
    assert [row["Key"] for row in c.result(TIMEOUT).json()] == ["tree/c/1"]


def test_no_change_wakes_nobody(registry: Embedded) -> None:
    put(registry, "same", b"v", "flags=3")
    waiters = Waiters(registry)
    waiting = waiters.wait("/v1/kv/same")
    put(registry, "same", b"v", "flags=3")
    assert put(registry, "same", b"w", "cas=1") is False
    put(registry, "same", b"last", "flags=3")
    row = waiting.result(TIMEOUT).json()[0]
    assert b64decode(row["Value"]) == b"last"


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("a%2Fb%20c%3Fd", "a/b c?d"),
        ("%25", "%"),
        ("pl%2520us+x%26y", "pl%20us+x&y"),
        ("%C3%A9/%F0%9F%98%80", "é/\U0001f600"),
        ("dir/", "dir/"),
        ("q'\"%5C%3Cx%3E", "q'\"\\<x>"),
    ],
)
def test_keys_of_any_characters(registry: Embedded, path: str, key: str) -> None:
    value = bytes(range(256))
    assert put(registry, path, value)
    assert registry.client.get(f"/v1/kv/{path}").json()[0]["Key"] == key
    raw = registry.client.get(f"/v1/kv/{path}?raw")
    assert (raw.content, raw.headers["Content-Type"], raw.headers["X-Content-Type-Options"]) == (
        *(value, "text/plain"),
        "nosniff",
    )
    assert key in registry.client.get("/v1/kv/?keys").json()


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/lead", "/v1/kv/lead"),
        ("%2Flead", "/v1/kv/lead"),
        ("a//b", "/v1/kv/a/b"),
        ("a/%2E%2E/b/?raw", "/v1/kv/b/?raw"),
    ],
)
def test_a_path_that_is_not_clean_is_sent_to_the_one_that_is(registry: Embedded, path: str, place: str) -> None:
    """By a plain client: others clean it themselves."""
    connection = HTTPConnection(*registry.client.base_url.netloc.decode().split(":"), timeout=TIMEOUT)
    connection.request("PUT", f"/v1/kv/{path}", b"x")
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Location"), answer.read()) == (301, place, b"")
    connection.close()


@pytest.mark.parametrize(
    ("path", "status"),
    [("x%01", 400), ("x%0Ay", 400), ("x%FF", 400), ("", 400), ("x?cas=1.0", 500), (f"x?flags={'9' * 5000}", 500)],
)
def test_keys_that_are_refused(registry: Embedded, path: str, status: int) -> None:
    assert registry.client.put(f"/v1/kv/{path}", content=b"x").status_code == status


def test_a_value_is_half_a_mebibyte_at_most(registry: Embedded) -> None:
    assert put(registry, "large", b"x" * 524288)
    sized = registry.client.put("/v1/kv/large", content=b"y" * 524289)
    chunked = registry.client.put("/v1/kv/large", content=iter([b"y" * 400_000] * 2))
    assert [sized.status_code, chunked.status_code] == [413, 413]
    assert sized.text == (
        "Request body(524289 bytes) too large, max size: 524288 bytes. "
        "See https://www.consul.io/docs/agent/options.html#kv_max_value_size."
    )
    assert registry.client.get("/v1/kv/large?raw").content == b"x" * 524288


def test_of_many_who_want_a_lock_one_has_it(registry: Embedded) -> None:
    sessions = [registry.put("/v1/session/create", {"LockDelay": "0s"}).json()["ID"] for _ in range(16)]
    with ThreadPoolExecutor(16) as pool:
        took = list(pool.map(lambda session: put(registry, "leader", b"me", f"acquire={session}"), sessions))
    assert took.count(True) == 1
    holder = sessions[took.index(True)]
    waiting = Waiters(registry).wait("/v1/kv/leader")
    registry.put(f"/v1/session/destroy/{holder}")
    row = waiting.result(TIMEOUT).json()[0]
    assert "Session" not in row
    assert row["LockIndex"] == 1
    assert put(registry, "leader", b"next", f"acquire={next(one for one in sessions if one != holder)}")


def test_what_was_acknowledged_is_there_after_a_kill(tmp_path: Path) -> None:
    """In the middle of a burst of sets, compare-and-sets, transactions and deletions."""
    with embedded(tmp_path) as registry:
        session = registry.put("/v1/session/create", {}).json()["ID"]
        assert put(registry, "held", b"x", f"acquire={session}")
        burst = Burst(registry)
        with ThreadPoolExecutor(4) as pool:
            writers = [pool.submit(burst.write, number) for number in range(4)]
            until(lambda: len(burst.kept) > 600)
            os.kill(registry.pid, signal.SIGKILL)
            for writer in writers:
                writer.result(TIMEOUT)
    with embedded(tmp_path) as registry:
        answer = registry.client.get("/v1/kv/burst/?recurse")
        found = {row["Key"]: b64decode(row["Value"]) for row in answer.json()}
        assert {key: found.get(key) for key in burst.kept} == burst.kept
        assert not burst.gone & found.keys()
        assert len(found.keys() - burst.kept.keys()) <= 4 * 2, "more than what was under way"
        assert index_of(answer) >= burst.index
        assert registry.get("/v1/kv/held")[0]["Session"] == session
        assert registry.get(f"/v1/session/info/{session}")[0]["ID"] == session
        assert put(registry, "burst/after")
        assert registry.get("/v1/kv/burst/after")[0]["ModifyIndex"] > burst.index


class Burst:
    """What was acknowledged: `kept` keys with their values, `gone` keys, and the largest index that was told."""

    def __init__(self, registry: Embedded) -> None:
        self.kept: dict[str, bytes] = {}
        self.gone: set[str] = set()
        self.index = 0
        self._place = registry.client.base_url.netloc.decode()

    def write(self, writer: int) -> None:
        """Until the registry is gone."""
        connection = HTTPConnection(self._place, timeout=TIMEOUT)
        number = 0
        try:
            while True:
                number += 1
                self._one(connection, f"burst/{writer}/{number}", str(number).encode() * 20)
        except (OSError, HTTPException):
            return
        finally:
            connection.close()

    def _one(self, connection: HTTPConnection, key: str, value: bytes) -> None:
        assert _call(connection, "PUT", f"/v1/kv/{key}?cas=0", value) is True
        self.kept[key] = value
        pair = [{"KV": {"Verb": "set", "Key": f"{key}/{half}", "Value": "eA=="}} for half in "ab"]
        results = _call(connection, "PUT", "/v1/txn", json.dumps(pair).encode())["Results"]
        self.kept |= {f"{key}/a": b"x", f"{key}/b": b"x"}
        self.index = max(self.index, results[0]["KV"]["ModifyIndex"])
        # From here on nobody knows, until the answer.
        self.kept.pop(f"{key}/b")
        assert _call(connection, "DELETE", f"/v1/kv/{key}/b", None) is True
        self.gone.add(f"{key}/b")


def _call(connection: HTTPConnection, method: str, path: str, body: bytes | None) -> object:
    connection.request(method, path, body)
    answer = connection.getresponse()
    told = answer.read()
    assert answer.status == 200, told
    return json.loads(told)


@pytest.mark.skipif(sys.platform != "linux", reason="no other system limits the files of a running process")
def test_a_full_disk_refuses_writes_and_loses_nothing(tmp_path: Path) -> None:
    """The disk is as large as the registry's file, which is what RLIMIT_FSIZE says to it."""
    with embedded(tmp_path) as registry:
        put(registry, "before", b"x")
        size = max(path.stat().st_size for path in tmp_path.iterdir())
        resource.prlimit(registry.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        refused = registry.client.put("/v1/kv/large", content=b"y" * 100_000)
        assert refused.status_code == 500
        assert "cannot be written" in refused.text
        assert "nothing was changed" in refused.text
        transaction = [{"KV": {"Verb": "set", "Key": f"t/{n}", "Value": "eHh4" * 9000}} for n in range(9)]
        assert registry.client.put("/v1/txn", json=transaction).status_code == 500
        assert registry.get("/v1/kv/?keys") == ["before"]
        resource.prlimit(registry.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert put(registry, "large", b"y" * 100_000)
    with embedded(tmp_path) as registry:
        assert registry.get("/v1/kv/?keys") == ["before", "large"]
