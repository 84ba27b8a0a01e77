"""The web application: families of calls put together, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any

from aiohttp import web

from sampan.registry.api import question as questions
from sampan.registry.api.answer import JSON_TYPE, RefusalError, encoded, refusal
from sampan.registry.api.blocking import Reads, View
from sampan.registry.api.browsers import from_strangers_page
from sampan.registry.api.question import Question
from sampan.registry.api.redirects import elsewhere, moved
from sampan.registry.registry import Registry
from sampan.registry.store import StoreError

# The largest that any call takes: a registration with ten thousands of tags. Everybody waits while it is read as JSON
# (10 ms a megabyte). Values of keys and transactions have smaller limits of their own.
LARGEST_BODY = 4 << 20
# The agent answers for itself, whatever datacentre is named.
_OF_AGENT = "/v1/agent/"

Handler = Callable[[Registry, Question], Awaitable[Any]]
"""Gives a View (a read, which may wait), a Response, or a value to be said as JSON."""


@dataclass(frozen=True, slots=True)
class Route:
    """One call. `path` as aiohttp writes it: `/v1/kv/{key:.*}`."""

    method: str
    path: str
    handler: Handler


def application(registry: Registry, families: Iterable[Iterable[Route]]) -> web.Application:
    reads = Reads(registry.tables)
    methods: dict[str, dict[str, Handler]] = {}
    for family in families:
        for route in family:
            methods.setdefault(route.path, {})[route.method] = route.handler
    folders = frozenset(path.partition("{")[0] for path in methods if "{" in path)
    made = web.Application(middlewares=[_guard(registry, folders)], client_max_size=LARGEST_BODY)
    made.on_response_prepare.append(_signed)
    for path, handlers in methods.items():
        made.router.add_route("*", path, _dispatch(registry, reads, handlers))
    return made


async def _signed(_: web.Request, answer: web.StreamResponse) -> None:
    """Consul sends no such header: whoever finds a port taken can tell which of the two is there."""
    answer.headers["Server"] = "Sampan"


def _dispatch(registry: Registry, reads: Reads, handlers: dict[str, Handler]) -> Callable[[web.Request], Any]:
    allowed = ",".join(sorted({*handlers, "OPTIONS"}))

    async def call(request: web.Request) -> web.StreamResponse:
        handler = handlers.get("GET" if request.method == "HEAD" and "HEAD" not in handlers else request.method)
        if handler is None:
            if request.method == "OPTIONS":
                return web.Response(headers={"Allow": allowed})
            answer = refusal(405, f"method {request.method} not allowed")
            answer.headers["Allow"] = allowed
            return answer
        question = questions.read(request)
        _check_place(registry, question)
        value = await handler(registry, question)
        if isinstance(value, web.StreamResponse):
            return value
        if callable(value):
            view: View = value
            return await reads.answer(question, view)
        return web.Response(body=await encoded(value, pretty=question.pretty), content_type=JSON_TYPE)

    return call


def _check_place(registry: Registry, question: Question) -> None:
    """Raises RefusalError for another datacentre, or for a namespace, of which the open edition has one."""
    datacenter = question.one("dc")
    if datacenter and datacenter != registry.identity.datacenter and not question.request.path.startswith(_OF_AGENT):
        raise RefusalError(500, "No path to datacenter")
    asked = (
        ("query parameter", "ns", "Namespaces", question.one("ns")),
        ("header", "X-Consul-Namespace", "Namespaces", question.request.headers.get("X-Consul-Namespace", "")),
        ("query parameter", "partition", "Partitions", question.one("partition")),
    )
    for place, name, what, value in asked:
        if value not in ("", "default"):
            raise RefusalError(400, f'Bad request: Invalid {place}: "{name}" - {what} are a Consul Enterprise feature')


def _guard(registry: Registry, folders: frozenset[str]) -> Any:
    """`folders`: the paths that take a name behind them."""
    token = registry.identity.token

    @web.middleware
    async def guard(request: web.Request, handler: Any) -> web.StreamResponse:
        if token and not compare_digest(_token(request).encode(), token.encode()):
            return refusal(403, "Permission denied: this registry needs its token (X-Consul-Token)")
        if not token and from_strangers_page(request.method, request.headers):
            return refusal(403, "Permission denied: this registry answers no page of another site in a browser")
        try:
            answer: web.StreamResponse = await handler(request)
        except RefusalError as error:
            return refusal(error.status, error.text)
        except StoreError as error:
            return refusal(500, f"{error}; nothing was changed")
        except web.HTTPNotFound:
            if (place := elsewhere(request, folders)) is not None:
                raise moved(request, place) from None
            return refusal(404, f"Invalid URL path: this registry has no {request.path}")
        except web.HTTPRequestEntityTooLarge as error:
            return refusal(413, error.text or "Request body too large")
        return answer

    return guard


def _token(request: web.Request) -> str:
    """https://developer.hashicorp.com/consul/api-docs/api-structure#authentication."""
    bearer = request.headers.get("Authorization", "")
    return str(
        request.headers.get("X-Consul-Token")
        or (bearer[7:] if bearer.lower().startswith("bearer ") else "")
        or request.query.get("token", "")
    )
