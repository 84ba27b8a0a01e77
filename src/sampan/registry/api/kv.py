"""`/v1/kv`: https://developer.hashicorp.com/consul/api-docs/kv."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes, urlencode

from aiohttp import web

from sampan.registry.api import numbers
from sampan.registry.api.answer import RefusalError, plain_json
from sampan.registry.api.application import Route
from sampan.registry.api.blocking import Reading, View
from sampan.registry.api.question import Question
from sampan.registry.api.redirects import cleaned, moved
from sampan.registry.keys import LARGEST_VALUE
from sampan.registry.locks import LockError
from sampan.registry.registry import Registry
from sampan.registry.tables import Write
from sampan.registry.trees import KEYS, KeyRow, key_topic, prefix_topic

_ROOT = "/v1/kv/"
_PATH = "/v1/kv/{key:(?s:.*)}"
_RAW_HEADERS = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}


async def get(registry: Registry, question: Question) -> View:
    key = _key(question)
    if question.has("keys"):
        separator = question.one("separator") or question.one("seperator")
        return lambda: _names(registry, key, separator)
    if question.has("recurse"):
        return lambda: _tree(registry, key)
    if not key:
        raise RefusalError(400, "Missing key name")
    raw = question.has("raw")
    return lambda: _one(registry, key, raw=raw)


async def put(registry: Registry, question: Question) -> web.Response:
    key = _key(question)
    if not key:
        raise RefusalError(400, "Missing key name")
    _exclusive(question, "cas", "acquire", "release")
    flags = numbers.unsigned(question.one("flags")) if question.has("flags") else 0
    index = numbers.unsigned(question.one("cas")) if question.has("cas") else None
    body = await _value(question)
    value = b64encode(body).decode() if body else None
    with registry.tables.write() as write:
        done = _set(registry, question, write, key, value, flags, index)
    return plain_json(done)


async def delete(registry: Registry, question: Question) -> web.Response:
    key = _key(question)
    _exclusive(question, "recurse", "cas")
    if not key and not question.has("recurse"):
        raise RefusalError(400, "Missing key name")
    index = numbers.unsigned(question.one("cas")) if question.has("cas") else None
    done = True
    with registry.tables.write() as write:
        if question.has("recurse"):
            registry.keys.delete_under(write, key)
        elif index is not None:
            done = registry.keys.delete_if(write, key, index)
        else:
            registry.keys.delete(write, key)
    return plain_json(done)


async def root(_: Registry, question: Question) -> web.Response:
    raise moved(question.request, _ROOT)


ROUTES = (
    *(Route(method, "/v1/kv", root) for method in ("GET", "PUT", "DELETE")),
    Route("GET", _PATH, get),
    Route("PUT", _PATH, put),
    Route("DELETE", _PATH, delete),
)


# -------------------------------------------------------------------- views


def _one(registry: Registry, key: str, *, raw: bool) -> Reading:
    row = registry.keys.get(key)
    if row is None:
        # Nobody can know when it was not there first: the index of the newest change of any key, as in Consul.
        return _nothing(registry.tables.index_of(KEYS), key_topic(key))
    if raw:
        body = lambda: b64decode(row["Value"] or "")  # noqa: E731
        return Reading(row["ModifyIndex"], [key_topic(key)], body, content_type="text/plain", headers=_RAW_HEADERS)
    return Reading(row["ModifyIndex"], [key_topic(key)], lambda: [row])


def _tree(registry: Registry, prefix: str) -> Reading:
    tree = registry.keys.trees.under(registry.tables, prefix)
    if not tree.rows:
        return _nothing(tree.index, prefix_topic(prefix))
    return Reading(tree.index, [prefix_topic(prefix)], lambda: tree.rows)


def _names(registry: Registry, prefix: str, separator: str) -> Reading:
    tree = registry.keys.trees.under(registry.tables, prefix)
    if not tree.rows and prefix:
        return _nothing(tree.index, prefix_topic(prefix))
    return Reading(tree.index, [prefix_topic(prefix)], lambda: _cut(tree.rows, len(prefix), separator))


def _cut(rows: Sequence[KeyRow], start: int, separator: str) -> list[str]:
    """The keys up to the first separator after the prefix, each once."""
    if not separator:
        return [row["Key"] for row in rows]
    names: dict[str, None] = {}
    for row in rows:
        head, found, _ = row["Key"][start:].partition(separator)
        names[row["Key"][:start] + head + found] = None
    return list(names)


def _nothing(index: int, topic: object) -> Reading:
    return Reading(index, [topic], bytes, status=404, content_type="")


# ------------------------------------------------------------------- writes


def _set(
    registry: Registry, question: Question, write: Write, key: str, value: str | None, flags: int, index: int | None
) -> bool:
    locks = registry.sessions.locks
    try:
        if question.has("acquire"):
            if locks.delayed(key):
                return False
            return locks.lock(write, key, value, flags, question.one("acquire")) is not None
        if question.has("release"):
            return locks.unlock(write, key, value, flags, question.one("release")) is not None
    except LockError as error:
        raise RefusalError(500, str(error)) from None
    if index is not None:
        return registry.keys.set_if(write, key, value, flags, index) is not None
    registry.keys.set(write, key, value, flags)
    return True


async def _value(question: Question) -> bytes:
    length = question.request.content_length
    if length is None or length <= LARGEST_VALUE:
        body = await question.body()
        length = len(body)
        if length <= LARGEST_VALUE:
            return body
    raise RefusalError(
        413,
        f"Request body({length} bytes) too large, max size: {LARGEST_VALUE} bytes. "
        "See https://www.consul.io/docs/agent/options.html#kv_max_value_size.",
    )


def _exclusive(question: Question, *flags: str) -> None:
    if sum(question.has(flag) for flag in flags) > 1:
        # Go's Values.Encode: sorted by name.
        query = urlencode(sorted(question.request.query.items(), key=lambda pair: pair[0]))
        raise RefusalError(400, f"Conflicting flags: {query}")


# --------------------------------------------------------------------- keys


def _key(question: Question) -> str:
    """As Go's server reads it: `%2F` is a `/`; a path that is not clean (`//`, `..`) is sent to its clean form."""
    raw = question.request.rel_url.raw_path
    try:
        path = unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        raise RefusalError(400, "The key is not UTF-8: this registry keeps no others") from None
    if not path.isprintable():
        raise RefusalError(400, "")
    clean = cleaned(path)
    if clean != path:
        raise moved(question.request, clean)
    return path[len(_ROOT) :]
