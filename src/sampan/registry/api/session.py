"""`/v1/session`: https://developer.hashicorp.com/consul/api-docs/session."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

from sampan.registry.api.answer import RefusalError
from sampan.registry.api.application import Route
from sampan.registry.api.blocking import Reading, View
from sampan.registry.api.question import Question
from sampan.registry.locks import LockError
from sampan.registry.registration import decode
from sampan.registry.registration.decode import RegistrationError
from sampan.registry.registry import Registry
from sampan.registry.session_row import ServiceCheck, SessionError, SessionRow, Wanted
from sampan.registry.sessions import SESSIONS, node_topic, session_topic
from sampan.registry.tables import Topic

_SMALLEST_NANOSECONDS = 1000
"""A smaller LockDelay was meant as seconds (lockDelayMinThreshold in Consul)."""


async def create(registry: Registry, question: Question) -> dict[str, str]:
    wanted = _wanted(await question.body())
    try:
        with registry.tables.write() as write:
            return {"ID": registry.sessions.create(write, wanted)["ID"]}
    except SessionError as error:
        raise RefusalError(500, str(error)) from None


async def destroy(registry: Registry, question: Question) -> bool:
    _found(registry, question)
    with registry.tables.write() as write:
        registry.sessions.destroy(write, _session(question))
    return True


async def renew(registry: Registry, question: Question) -> list[SessionRow]:
    row = _found(registry, question)
    if row is None:
        raise RefusalError(404, f"Session id '{_session(question)}' not found")
    registry.sessions.renew(row)
    return [row]


async def info(registry: Registry, question: Question) -> View:
    session = _session(question)
    _found(registry, question)

    def view() -> Reading:
        row = registry.sessions.get(session)
        return _reading(registry, session_topic(session), [row] if row else [])

    return view


async def every(registry: Registry, _: Question) -> View:
    return lambda: _reading(registry, SESSIONS, registry.sessions.all())


async def of_node(registry: Registry, question: Question) -> View:
    node = question.path("node")
    if not node:
        raise RefusalError(400, "Missing node name")
    return lambda: _reading(registry, node_topic(node), registry.sessions.of_node(node))


ROUTES = (
    Route("PUT", "/v1/session/create", create),
    Route("PUT", "/v1/session/destroy/{session:.*}", destroy),
    Route("PUT", "/v1/session/renew/{session:.*}", renew),
    Route("GET", "/v1/session/info/{session:.*}", info),
    Route("GET", "/v1/session/node/{node:.*}", of_node),
    Route("GET", "/v1/session/list", every),
)


def _reading(registry: Registry, topic: Topic, rows: Collection[SessionRow]) -> Reading:
    return Reading(registry.tables.index_of(SESSIONS), [topic], lambda: rows)


def _session(question: Question) -> str:
    session = question.path("session")
    if not session:
        raise RefusalError(400, "Missing session")
    return session


def _found(registry: Registry, question: Question) -> SessionRow | None:
    try:
        return registry.sessions.get(_session(question))
    except LockError as error:
        raise RefusalError(500, str(error)) from None


def _wanted(body: bytes) -> Wanted:
    """Fields that are not known are let be, as Consul does here and nowhere else. Raises RefusalError (400)."""
    if not body:
        return {}
    try:
        given = decode.parse(body)
        if isinstance(given, dict):
            given = {name: value for name, value in given.items() if name.lower() in _FIELDS}
        wanted = decode.record(given, _FIELDS)
    except (ValueError, RegistrationError) as error:
        raise RefusalError(400, f"Request decode failed: {error}") from None
    nulls = {name.lower() for name, value in (given or {}).items() if value is None}
    wanted |= {own: None for own in ("Checks", "NodeChecks") if own.lower() in nulls}  # no list; absent is the default
    return cast(Wanted, wanted)


def _nanoseconds(value: Any, path: str) -> int:
    """What is neither a text nor a number is 0, as in Consul."""
    is_duration = isinstance(value, str | int | float) and not isinstance(value, bool)
    seconds = decode.seconds(value, path) if is_duration else 0.0
    delay = round(seconds * 1e9)
    return max(0, delay * 1_000_000_000 if delay < _SMALLEST_NANOSECONDS else delay)


def _service_check(value: Any, path: str) -> ServiceCheck:
    given = decode.record(value, _SERVICE_CHECK, path)
    return ServiceCheck(ID=given.get("ID", ""), Namespace=given.get("Namespace", ""))


_SERVICE_CHECK = decode.fields(ID=decode.text, Namespace=decode.text)
_FIELDS = decode.fields(
    Name=decode.text,
    Node=decode.text,
    Behavior=decode.text,
    TTL=decode.text,
    LockDelay=_nanoseconds,
    Checks=decode.texts,
    NodeChecks=decode.texts,
    ServiceChecks=decode.many(_service_check, "structs.ServiceCheck"),
)
