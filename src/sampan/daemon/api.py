"""Questions from the command line: JSON over HTTP on a Unix socket that only its user can open.

    GET /v1/health                                   ready, since, sources, number of errors and warnings
    GET /v1/objects?kind=&namespace=&name=           documents with status, as kubectl has them
    GET /v1/describe?kind=&namespace=&name=          one object and all that is known of it
    GET /v1/diagnostics                              every mistake
    GET /v1/proxies                                  who is connected, in sync or refused
    GET /v1/proxies/{namespace}/{name}/config?type=  what a proxy has, secrets left out
    GET /v1/proxies/{namespace}/{name}/stats?filter= Envoy's own statistics

Errors are {"error", "hint"} with a status of 4xx or 5xx. What a Secret holds is in no answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sampan import __version__
from sampan.daemon import describe, registered
from sampan.daemon.view import Overview
from sampan.envoy import types
from sampan.envoy.readable import readable
from sampan.model.diagnostic import record
from sampan.proxy import admin
from sampan.xds.nodes import NodeState

# So many objects are made ready between two looks at what else there is to do: requests wait for no listing.
AT_ONCE = 200


class Answer(JSONResponse):
    """In ASCII: a path in a message may hold bytes that are no UTF-8, and no answer shall fail for that."""

    def render(self, content: Any) -> bytes:
        return _json(content)


def _json(content: Any) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


class Problem(HTTPException):
    """An answer that says what is wrong and what to do."""

    def __init__(self, status: int, error: str, hint: str = "") -> None:
        super().__init__(status, error)
        self.hint = hint


def application(overview: Overview) -> Starlette:
    desk = _Desk(overview)
    routes = [
        Route("/v1/health", desk.health),
        Route("/v1/objects", desk.objects),
        Route("/v1/describe", desk.describe),
        Route("/v1/diagnostics", desk.diagnostics),
        Route("/v1/proxies", desk.proxies),
        Route("/v1/proxies/{namespace}/{name}/config", desk.config),
        Route("/v1/proxies/{namespace}/{name}/stats", desk.stats),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _problem})


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    hint = error.hint if isinstance(error, Problem) else ""
    return Answer({"error": error.detail, "hint": hint}, error.status_code)


class _Server(uvicorn.Server):
    """Signals are the daemon's own business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def answering(overview: Overview, path: Path) -> None:
    """Answers at `path` (mode 0600) until cancelled."""
    config = uvicorn.Config(
        application(overview), log_config=None, access_log=False, lifespan="off", ws="none", loop="none", http="h11"
    )
    listener = _listener(path)
    try:
        await _Server(config).serve(sockets=[listener])
    finally:
        listener.close()
        path.unlink(missing_ok=True)


def _listener(path: Path) -> socket.socket:
    """A fresh socket in the place of whatever a predecessor left. uvicorn would open one made by it to everybody."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(mask)
    listener.listen(64)
    return listener


class _Desk:
    """One method for each question."""

    def __init__(self, overview: Overview) -> None:
        self._overview = overview
        self._since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    async def health(self, _: Request) -> Response:
        found = self._overview.diagnostics()
        errors = sum(item.severity == "error" for item in found)
        return Answer(
            {
                "ready": self._overview.ready,
                "version": __version__,
                "since": self._since,
                "sources": self._sources(),
                "errors": errors,
                "warnings": len(found) - errors,
            }
        )

    def _sources(self) -> list[dict[str, Any]]:
        health = self._overview.pipeline.world.merged.health
        return [
            {"name": name, "ok": not said, "message": "; ".join(item.reason for item in said)}
            for name, said in sorted(health.items())
        ]

    async def objects(self, request: Request) -> Response:
        wanted = {key: request.query_params.get(key, "") for key in ("kind", "namespace", "name")}
        self._overview.pipeline.count()
        statuses = self._overview.statuses()
        parts: list[bytes] = []
        for index, item in enumerate(self._overview.objects(**wanted), 1):
            parts.append(_json(self._overview.rendered(item, statuses)))
            if index % AT_ONCE == 0:
                await asyncio.sleep(0)
        return Response(b'{"items":[' + b",".join(parts) + b"]}", media_type="application/json")

    async def describe(self, request: Request) -> Response:
        wanted = {key: request.query_params.get(key, "") for key in ("kind", "namespace", "name")}
        found = list(self._overview.objects(**wanted))
        if not found or not wanted["name"]:
            name = "/".join(filter(None, wanted.values()))
            raise Problem(404, f"there is no {name}", f"`sampan get {wanted['kind'].lower() or 'all'} -A` lists them")
        self._overview.pipeline.count()
        item = found[0]
        world = self._overview.pipeline.world
        plans = world.resolution.plans.values()
        return Answer(
            {
                "object": self._overview.rendered(item, self._overview.statuses()),
                "diagnostics": [record(said) for said in self._overview.diagnostics() if said.object == item.ref],
                "policies": describe.policies(item, plans),
                "routes": describe.routes(item, plans),
                "backends": describe.backends(item, plans, world.snapshot),
                "instances": registered.instances(item, world.snapshot),
            }
        )

    async def diagnostics(self, _: Request) -> Response:
        return Answer({"items": [record(item) for item in self._overview.diagnostics()]})

    async def proxies(self, _: Request) -> Response:
        fleet = self._overview.pipeline.fleet
        await fleet.look()
        nodes = self._overview.nodes()
        names = {view.proxy for view in self._overview.pipeline.plans} | fleet.running.keys() | nodes.keys()
        return Answer({"items": [self._proxy(name, nodes.get(name)) for name in sorted(names)]})

    def _proxy(self, name: str, node: NodeState | None) -> dict[str, Any]:
        running = self._overview.pipeline.fleet.running.get(name)
        state = self._overview.publication(name)
        refusals = state.refusals.by_key.values() if state is not None else ()
        return {
            "proxy": name,
            "connected": node is not None,
            "since": _time(node.since) if node is not None else None,
            "pid": running.pid if running is not None else None,
            "state": running.state if running is not None else "not running",
            "envoy": node.node.version if node is not None else None,
            "types": self._types(node) if node is not None else {},
            "refused": [
                {
                    "type": types.word(item.type),
                    "names": [item.name],
                    "error": item.complaint,
                    "since": item.since or None,
                }
                for item in refusals
            ],
        }

    def _types(self, node: NodeState) -> dict[str, Any]:
        control = self._overview.control
        table = control.table(node.scope) if control is not None else None
        return {
            types.word(type_url): {
                "sent": len(table.of(type_url)) if table is not None else 0,
                "confirmed": len(state.confirmed),
                "in_sync": not state.pending and node.revision > 0,
            }
            for type_url, state in node.types.items()
        }

    async def config(self, request: Request) -> Response:
        proxy = _proxy_name(request)
        control = self._overview.control
        table = control.table(proxy) if control is not None else None
        if table is None:
            raise _no_proxy(proxy)
        wanted = request.query_params.get("type", "")
        by_word = {types.word(type_url): type_url for type_url in types.PUSH_ORDER}
        chosen = [word for word in by_word if not wanted or word.rstrip("s") == wanted.rstrip("s")]
        if not chosen:
            raise Problem(404, f"there is no type '{wanted}'", f"the types are {', '.join(by_word)}")
        found = {word: [readable(row) for row in table.of(by_word[word]).values()] for word in chosen}
        return Answer({"resources": found})

    async def stats(self, request: Request) -> Response:
        proxy = _proxy_name(request)
        if proxy not in {view.proxy for view in self._overview.pipeline.plans}:
            raise _no_proxy(proxy)
        path = admin.statistics_path(request.query_params.get("filter", ""))
        try:
            body = await admin.ask(self._overview.pipeline.fleet.admin(proxy), path)
        except admin.AdminError as error:
            raise Problem(503, str(error), "it may be starting: try again") from error
        return Response(body, media_type="application/json")


def _proxy_name(request: Request) -> str:
    return f"{request.path_params['namespace']}/{request.path_params['name']}"


def _no_proxy(proxy: str) -> Problem:
    return Problem(404, f"there is no proxy {proxy}", "`sampan proxies` lists them")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
