"""A server that says what a test tells it to, for the answers that no Consul can be made to give."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler, port: int = 0, path: str = "", cancels: bool = True) -> AsyncIterator[str]:
    """The address of a server that answers everything with `handler`; over a Unix socket if `path` is given. `cancels`:
    it notices that a connection is closed."""
    runner = web.ServerRunner(web.Server(handler, handler_cancellation=cancels), shutdown_timeout=0.1)
    await runner.setup()
    try:
        site: web.BaseSite = web.UnixSite(runner, path) if path else web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        yield f"unix://{path}" if path else f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Script:
    """Answers in order; the last stays unanswered until the test ends. Notes each request's query."""

    def __init__(self, *answers: web.Response | None) -> None:
        self.answers = list(answers)
        self.queries: list[dict[str, str]] = []
        self.requests: list[web.BaseRequest] = []
        self.exhausted = asyncio.Event()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.queries.append(dict(request.query))
        self.requests.append(request)
        if not self.answers:
            self.exhausted.set()
            await asyncio.get_running_loop().create_future()
        answer = self.answers.pop(0)
        if answer is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return answer


def answer(body: object, index: int | None, status: int = 200) -> web.Response:
    """As Consul answers."""
    response = web.json_response(body, status=status)
    if index is not None:
        response.headers["X-Consul-Index"] = str(index)
    return response
