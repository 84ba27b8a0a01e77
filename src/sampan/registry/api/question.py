"""What a request asks for: Consul's query options, read once.

https://developer.hashicorp.com/consul/api-docs/features/blocking, …/consistency, …/filtering.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import uniform
from typing import Any

from aiohttp import web

from sampan.consul.durations import parse_duration
from sampan.registry.api.answer import RefusalError
from sampan.registry.registration import decode

_TRUTHS = dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True) | dict.fromkeys(
    ("0", "f", "F", "FALSE", "false", "False"), False
)
DEFAULT_WAIT = 300.0
LONGEST_WAIT = 600.0
_LARGEST_INDEX = (1 << 64) - 1
_LONGEST_INDEX = 64
"""Digits: what is longer is not even read as a number."""


@dataclass(frozen=True, slots=True)
class Question:
    """`request` as aiohttp has it, and its options. `wait` in seconds, with Consul's jitter already in it."""

    request: web.Request
    index: int = 0
    wait: float = DEFAULT_WAIT
    hash: str = ""
    stale: bool = False
    consistent: bool = False
    cached: bool = False
    pretty: bool = False
    filter: str = ""

    def one(self, name: str, default: str = "") -> str:
        """A query parameter, its first value."""
        return str(self.request.query.get(name, default))

    def has(self, name: str) -> bool:
        """Whether the parameter is there, with a value or without: `?passing`."""
        return name in self.request.query

    def truth(self, name: str) -> bool | None:
        """A parameter as Go's strconv.ParseBool reads it; None for what is neither."""
        return _TRUTHS.get(self.one(name))

    def every(self, name: str) -> Sequence[str]:
        return tuple(str(value) for value in self.request.query.getall(name, ()))

    def path(self, name: str) -> str:
        """A part of the path that the route names."""
        return str(self.request.match_info[name])

    def required(self, name: str, missing: str) -> str:
        """The same, which may not be empty. Raises RefusalError (400) with Consul's sentence for that."""
        value = self.path(name)
        if not value:
            raise RefusalError(400, missing)
        return value

    async def body(self) -> bytes:
        return await self.request.read()

    async def json(self, what: str = "Request") -> Any:
        """The body as JSON. Raises RefusalError (400) in Consul's words."""
        body = await self.body()
        if not body:
            raise RefusalError(400, f"{what} decode failed: EOF")
        try:
            return decode.parse(body)
        except ValueError as error:
            raise RefusalError(400, f"{what} decode failed: {error}") from error


def read(request: web.Request) -> Question:
    """Raises RefusalError (400) for options that make no sense."""
    query = request.query
    index = _index(query.get("index", ""))
    if "stale" in query and "consistent" in query:
        raise RefusalError(400, "Cannot specify ?stale with ?consistent, conflicting semantics.")
    if "cached" in query and "consistent" in query:
        raise RefusalError(400, "Cannot specify ?cached with ?consistent, conflicting semantics.")
    stale = "stale" in query or _max_stale(query.get("max_stale", "")) > 0
    _check_cache_control(request.headers.get("Cache-Control", ""))
    return Question(
        request,
        index,
        _wait(query.get("wait", "")),
        query.get("hash", ""),
        stale,
        "consistent" in query,
        "cached" in query,
        "pretty" in query,
        query.get("filter", ""),
    )


def _index(text: str) -> int:
    if not text:
        return 0
    if not text.isascii() or not text.isdigit() or len(text) > _LONGEST_INDEX or int(text) > _LARGEST_INDEX:
        raise RefusalError(400, "Invalid index")
    return int(text)


def _max_stale(text: str) -> float:
    try:
        return parse_duration(text) if text else 0.0
    except ValueError:
        raise RefusalError(400, f'Invalid max_stale value "{text}"') from None


def _check_cache_control(text: str) -> None:
    """What is answered is never old, so an age limit needs nothing; but it must be one."""
    for directive in text.lower().split(","):
        name, _, value = directive.strip().partition("=")
        if name in ("max-age", "stale-if-error") and not value.lstrip("+-").isdigit():
            raise RefusalError(400, "Invalid Cache-Control header.")


def _wait(text: str) -> float:
    if not text:
        wait = DEFAULT_WAIT
    else:
        try:
            wait = parse_duration(text)
        except ValueError:
            raise RefusalError(400, "Invalid wait time") from None
        wait = min(wait, LONGEST_WAIT) if wait > 0 else DEFAULT_WAIT
    # Up to a sixteenth more, so that a herd of clients does not come back at once (jitterFraction in Consul's rpc.go).
    return wait + uniform(0, wait / 16)
