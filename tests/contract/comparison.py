"""An answer as it can be compared: what differs between any two servers (ids, indexes, addresses) by its role alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx

HEADERS = (
    *("Content-Type", "X-Consul-Knownleader", "X-Consul-Lastcontact", "X-Consul-Effective-Consistency"),
    *("X-Consul-Translate-Addresses", "X-Consul-Reason", "X-Cache", "Allow", "Location"),
)
INDEXES = frozenset({"CreateIndex", "ModifyIndex", "Index"})
# In any order: what is left by `passing` (it swaps), by distance from nodes of unknown place, out of a Go map.
IN_ANY_ORDER = re.compile(
    r"GET /v1/(health/service/.*[?&]passing\b.*|.*[?&]near=.*|catalog/services\b.*|agent/health/.*"
    r"|catalog/node-services/.*|session/(list|node/.*))"
)
OWN_SERVICE = "consul"
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HASH = re.compile(r"[0-9a-f]{10,16}")


class Roles:
    """What one server's ids and indexes have been so far in a case."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}
        self._last: dict[str, tuple[int, bytes]] = {}

    def comparable(self, answer: httpx.Response, call: str) -> dict[str, Any]:
        headers = {name: answer.headers[name] for name in HEADERS if name in answer.headers}
        if allowed := headers.get("Allow"):
            headers["Allow"] = ",".join(sorted(allowed.split(",")))
        headers |= {"X-Consul-Index": self._index(call, answer)}
        headers |= {"X-Consul-ContentHash": "X-Consul-ContentHash" in answer.headers}
        return {"status": answer.status_code, "header": headers, "body": self._body(answer, call)}

    def _index(self, call: str, answer: httpx.Response) -> str:
        """What clients rely on: it is there, it is not 0, it rises when the answer is another, and it never falls."""
        text = answer.headers.get("X-Consul-Index")
        if text is None or not text.isdigit() or text == "0" or answer.is_server_error:
            return str(text)
        index, (last, body) = int(text), self._last.get(call, (0, b""))
        self._last[call] = (index, answer.content)
        if index < last:
            return "it falls"
        return "it stays, and the answer is another" if index == last and body != answer.content else "as it should be"

    def _body(self, answer: httpx.Response, call: str) -> Any:
        try:
            body = self._value(answer.json(), "")
        except ValueError:
            return self._text(answer.text)
        return _sorted(body) if IN_ANY_ORDER.fullmatch(call) else body

    def _value(self, value: Any, name: str) -> Any:
        if isinstance(value, dict):
            items = sorted(value.items())
            return {self._text(key): self._value(of, key) for key, of in items if not _own(key, of)}
        if isinstance(value, list):
            return [self._value(inside, name) for inside in value if not _own("", inside)]
        if name in INDEXES and isinstance(value, int):
            return "an index" if value else 0
        if name == "ContentHash" and isinstance(value, str):
            return "a hash" if _HASH.fullmatch(value) else value
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        return _UUID.sub(lambda found: self._ids.setdefault(found[0], f"id {len(self._ids) + 1}"), text)


def _own(key: str, value: Any) -> bool:
    """Whether it tells of Consul's own service."""
    if key == OWN_SERVICE and value == []:
        return True
    return isinstance(value, dict) and OWN_SERVICE in (value.get("Service"), value.get("ServiceName"))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(of) for key, of in value.items()}
    return sorted(map(_sorted, value), key=repr) if isinstance(value, list) else value


def differences(theirs: Any, ours: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Place and what is there, such as `body[0].Service.Tags`."""
    if where == "header.X-Consul-Index" and theirs not in (None, "None") and ours == "as it should be":
        return  # a real one's may fall, with a node that goes
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name in sorted({*theirs, *ours}):
            yield from _member(theirs, ours, name, f"{where}.{name}" if where else name)
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for number, (one, other) in enumerate(zip(theirs, ours, strict=True)):
            yield from differences(one, other, f"{where}[{number}]")
    elif theirs != ours or type(theirs) is not type(ours):
        yield where, f"Consul {theirs!r}, ours {ours!r}"


def _member(theirs: dict[str, Any], ours: dict[str, Any], name: str, where: str) -> Iterator[tuple[str, str]]:
    if name not in ours:
        yield where, f"Consul {theirs[name]!r}, ours does not have it"
    elif name not in theirs:
        yield where, f"Consul does not have it, ours {ours[name]!r}"
    else:
        yield from differences(theirs[name], ours[name], where)
