"""Calls that Consul has and this registry has not: each is told so, with the sentence of the table in `calls`."""

from __future__ import annotations

from aiohttp import web

from sampan.registry.api.answer import RefusalError
from sampan.registry.api.application import Handler, Route
from sampan.registry.api.calls import REFUSED, Call
from sampan.registry.api.question import Question
from sampan.registry.registry import Registry


def _refusing(call: Call) -> Handler:
    async def refuse(_: Registry, __: Question) -> web.Response:
        raise RefusalError(call.status, call.refusal)

    return refuse


ROUTES = tuple(
    Route(method, call.path.replace("*", "{rest:.*}"), _refusing(call)) for call in REFUSED for method in call.methods
)
