"""`/v1/event`: https://developer.hashicorp.com/consul/api-docs/event. `/v1/events` is what Spring Cloud calls it."""

from __future__ import annotations

import asyncio
from base64 import b64encode

from aiohttp import web

from sampan.registry.api.answer import RefusalError, plain_json
from sampan.registry.api.application import Route
from sampan.registry.api.question import Question
from sampan.registry.events import EVENTS, Event, EventError, event, index_of
from sampan.registry.registry import Registry


async def fire(registry: Registry, question: Question) -> Event:
    name = question.path("name")
    if not name:
        raise RefusalError(400, "Missing name")
    body = await question.body()
    payload = b64encode(body).decode() if body else None
    filters = {name: question.one(name) for name in ("node", "service", "tag")}
    fired = event(name, payload, **filters)
    own = registry.identity.node
    services = [(row["Service"]["Service"], row["Service"]["Tags"]) for row in registry.catalog.services_of(own)]
    try:
        with registry.tables.write() as write:
            if registry.events.fire(fired, own, services):
                write.wake(EVENTS)
    except EventError as error:
        raise RefusalError(500, str(error)) from None
    return fired


async def recent(registry: Registry, question: Question) -> web.Response:
    """The index is no time: it is waited while it is the very same, not while it is smaller."""
    name = question.one("name")
    loop = asyncio.get_running_loop()
    end = loop.time() + question.wait
    events = registry.events.named(name)
    while question.index and index_of(events) == question.index:
        left = end - loop.time()
        if left <= 0 or not await registry.tables.changed([EVENTS], left):
            break
        events = registry.events.named(name)
    answer = plain_json(events, pretty=question.pretty)
    answer.headers["X-Consul-Index"] = str(index_of(events))
    return answer


ROUTES = (
    Route("PUT", "/v1/event/fire/{name:.*}", fire),
    Route("POST", "/v1/event/fire/{name:.*}", fire),
    Route("GET", "/v1/event/list", recent),
    Route("GET", "/v1/events", recent),
)
