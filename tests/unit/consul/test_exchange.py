"""What becomes of an answer's bytes."""

from __future__ import annotations

import pytest

from sampan.consul.errors import GarbageError
from sampan.consul.exchange import decoded


def test_json_and_nothing() -> None:
    assert decoded(b'{"a": [1]}', 200, "/v1/kv/a") == {"a": [1]}
    assert decoded(b" ", 200, "/v1/kv/a") is None
    assert decoded(b"no such key", 404, "/v1/kv/a") is None


@pytest.mark.parametrize("body", [b"<html>", b"[" * 100_000, b"\xff"])
def test_garbage(body: bytes) -> None:
    with pytest.raises(GarbageError, match="no JSON"):
        decoded(body, 200, "/v1/kv/a")


def test_half_a_character_is_none() -> None:
    assert decoded(rb'["\ud83d\ude00", "a\uD800b", "\\ud800"]', 200, "/v1/kv/a") == ["😀", "a?b", r"\ud800"]
