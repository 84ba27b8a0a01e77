"""Transactions."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from .both import Both

pytestmark = pytest.mark.consul

VALUE = base64.b64encode(b"value").decode()


def kv(verb: str, key: str, **more: Any) -> dict[str, Any]:
    return {"KV": {"Verb": verb, "Key": key, **more}}


def test_writes_and_reads(both: Both) -> None:
    operations = [
        kv("set", "a", Value=VALUE, Flags=7),
        kv("set", "a/b", Value=VALUE),
        kv("get", "a"),
        kv("get-tree", "a"),
        kv("cas", "c", Value=VALUE, Index=0),
        kv("check-not-exists", "nope"),
        kv("delete", "a/b"),
        kv("delete-tree", "a/"),
    ]
    both.put("/v1/txn", json=operations)
    both.get("/v1/kv/?recurse")


def test_all_or_nothing(both: Both) -> None:
    both.put("/v1/kv/a", content=b"x")
    both.put("/v1/txn", 409, json=[kv("set", "b", Value=VALUE), kv("cas", "a", Value=VALUE, Index=1)])
    both.get("/v1/kv/b", 404)
    both.put("/v1/txn", 409, json=[kv("get", "nope"), kv("set", "b", Value=VALUE), kv("check-not-exists", "a")])
    both.get("/v1/kv/b", 404)


@pytest.mark.parametrize(
    "operation",
    [
        kv("check-index", "a", Index=1),
        kv("check-session", "a", Session="d1a3d2a6-2f5e-4a8e-8d5e-000000000000"),
        kv("delete-cas", "a", Index=1),
        kv("cas", "a", Index=0, Value=VALUE),
        kv("lock", "a", Value=VALUE, Session="d1a3d2a6-2f5e-4a8e-8d5e-000000000000"),
        kv("unlock", "a", Value=VALUE, Session="d1a3d2a6-2f5e-4a8e-8d5e-000000000000"),
        kv("lock", "a", Value=VALUE),
        kv("get", "nope"),
        kv("get-tree", "nope"),
        kv("delete", "nope"),
        kv("set", ""),
        kv("nonsense", "a"),
        kv("check-not-exists", "a"),
    ],
)
def test_one_that_may_fail(both: Both, operation: dict[str, Any]) -> None:
    both.put("/v1/kv/a", content=b"x")
    fine = operation["KV"] in ({"Verb": "get-tree", "Key": "nope"}, {"Verb": "delete", "Key": "nope"})
    both.put("/v1/txn", 200 if fine else 409, json=[operation])
    both.get("/v1/kv/a")


def test_locks(both: Both) -> None:
    both.keep("session", both.put("/v1/session/create"), "ID")
    both.put("/v1/txn", json=[kv("lock", "l", Value=VALUE, Session="{session}")])
    both.put("/v1/txn", json=[kv("check-session", "l", Session="{session}"), kv("get", "l")])
    both.put("/v1/txn", json=[kv("unlock", "l", Value=VALUE, Session="{session}")])
    both.get("/v1/kv/l")


def test_reads_alone(both: Both) -> None:
    """They have a read's headers."""
    both.put("/v1/kv/a", content=b"x")
    both.put("/v1/txn", json=[kv("get", "a"), kv("get-tree", "a")])
    both.put("/v1/txn?stale", json=[kv("get", "a")])


def test_other_tables(both: Both) -> None:
    node = {"Node": "txn-node", "Address": "10.0.0.1"}
    operations = [
        {"Node": {"Verb": "set", "Node": node}},
        {"Service": {"Verb": "set", "Node": "txn-node", "Service": {"ID": "s", "Service": "s", "Port": 1}}},
        {"Check": {"Verb": "set", "Check": {"Node": "txn-node", "CheckID": "c", "Name": "c", "Status": "passing"}}},
        {"Node": {"Verb": "get", "Node": {"Node": "txn-node"}}},
        {"Service": {"Verb": "get", "Node": "txn-node", "Service": {"ID": "s", "Service": "s"}}},
        {"Check": {"Verb": "get", "Check": {"Node": "txn-node", "CheckID": "c"}}},
    ]
    both.put("/v1/txn", json=operations)
    both.get("/v1/health/node/txn-node")
    both.get("/v1/catalog/service/s")
    both.put(
        "/v1/txn", json=[{"Service": {"Verb": "delete", "Node": "txn-node", "Service": {"ID": "s", "Service": "s"}}}]
    )
    both.put("/v1/txn", json=[{"Node": {"Verb": "delete", "Node": {"Node": "txn-node"}}}])
    both.get("/v1/catalog/nodes")


def test_sizes(both: Both) -> None:
    both.put("/v1/txn", json=[kv("set", f"k{number}", Value=VALUE) for number in range(64)])
    both.put("/v1/txn", 413, json=[kv("set", f"k{number}", Value=VALUE) for number in range(65)])
    large = base64.b64encode(b"x" * (512 * 1024 + 1)).decode()
    both.put("/v1/txn", 413, json=[kv("set", "large", Value=large)])


BAD_BASE64 = b'[{"KV": {"Verb": "set", "Key": "a", "Value": "!"}}]'


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b"null", b'"x"', b"[{}]", BAD_BASE64])
def test_what_is_no_transaction(both: Both, body: bytes) -> None:
    both.put("/v1/txn", 200 if body in (b"null", b"[{}]") else 400, content=body)


def test_empty(both: Both) -> None:
    both.put("/v1/txn", json=[])
    both.call("GET", "/v1/txn", 405)
