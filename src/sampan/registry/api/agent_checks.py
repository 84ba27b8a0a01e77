"""`/v1/agent/check…`: checks of our own node, and what services say of themselves."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from sampan.registry import agent, rows
from sampan.registry.api.answer import RefusalError, done
from sampan.registry.api.application import Handler, Route
from sampan.registry.api.question import Question
from sampan.registry.api.selection import Filter
from sampan.registry.catalog import MissingError
from sampan.registry.filter import fields
from sampan.registry.registration import checks, decode
from sampan.registry.registration.decode import RegistrationError
from sampan.registry.registry import Registry
from sampan.registry.rows import Status

_UPDATE = decode.fields(Status=decode.text, Output=decode.text)


async def all_checks(registry: Registry, question: Question) -> Any:
    narrow = Filter(question, fields.CHECK)
    # Indexes are the catalogue's: the agent's own state has none.
    return narrow.of_named(
        {row["CheckID"]: {**row, "CreateIndex": 0, "ModifyIndex": 0} for row in agent.checks(registry.catalog)}
    )


async def register(registry: Registry, question: Question) -> web.Response:
    try:
        check = checks.of_agent(await question.json())
        with registry.tables.write() as write:
            agent.register_check(registry.catalog, write, check)
    except RegistrationError as error:
        raise RefusalError(error.status, str(error)) from None
    except MissingError as error:
        raise RefusalError(500, str(error)) from None
    return done()


async def deregister(registry: Registry, question: Question) -> web.Response:
    """200 for what is not there, too."""
    check_id = question.path("id")
    if not check_id:
        raise RefusalError(500, "CheckID missing")
    if check_id != rows.SERF_HEALTH:
        with registry.tables.write() as write:
            registry.catalog.deregister_check(write, registry.identity.node, check_id)
    return done()


def reported(status: Status) -> Handler:
    async def report(registry: Registry, question: Question) -> web.Response:
        return _report(registry, question.path("id"), status, question.one("note"))

    return report


async def update(registry: Registry, question: Question) -> web.Response:
    try:
        given = decode.record(await question.json(), _UPDATE)
    except RegistrationError as error:
        raise RefusalError(400, f"Request decode failed: {error}") from None
    status = given.get("Status", "")
    if status not in rows.STATUSES:
        raise RefusalError(400, f"Invalid check status: '{status}'")
    return _report(registry, question.path("id"), status, given.get("Output", ""))


def _report(registry: Registry, check_id: str, status: Status, output: str) -> web.Response:
    try:
        with registry.tables.write() as write:
            registry.catalog.report(write, check_id, status, output)
    except MissingError as error:
        raise RefusalError(500, str(error)) from None
    return done()


ROUTES = (
    Route("GET", "/v1/agent/checks", all_checks),
    Route("PUT", "/v1/agent/check/register", register),
    Route("PUT", "/v1/agent/check/deregister/{id:.*}", deregister),
    Route("PUT", "/v1/agent/check/pass/{id:.*}", reported("passing")),
    Route("PUT", "/v1/agent/check/warn/{id:.*}", reported("warning")),
    Route("PUT", "/v1/agent/check/fail/{id:.*}", reported("critical")),
    Route("PUT", "/v1/agent/check/update/{id:.*}", update),
)
