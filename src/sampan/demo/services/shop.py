"""The front page: a page of HTML, its stock over gRPC made JSON, and `/api/live`, a WebSocket that tells the tide.

It finds the others where everybody does, at the gateway. Without them it still answers, and says what is missing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

import grpc

from sampan.demo import wire
from sampan.demo.client import Client
from sampan.demo.services.faults import Faults
from sampan.demo.services.running import Identity, run, settings
from sampan.demo.services.web import Request, Response, WebServer, as_json, problem
from sampan.demo.stock_client import StockClient, origin
from sampan.demo.websocket import WebSocket

TICK_SECONDS = 1.0
HTML = "text/html; charset=utf-8"
ASSETS = {"shop.css": "text/css; charset=utf-8", "shop.js": "text/javascript; charset=utf-8"}
SAFETY = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


class FrontPage:
    protocol = "http"

    def __init__(self, identity: Identity, gateway: str) -> None:
        self._identity = identity
        self._gateway = gateway
        self._faults = Faults()
        host, _, port = gateway.rpartition(":")
        self._client = Client(host, int(port), timeout=2.0)
        self._stock: StockClient | None = None
        pages = files("sampan.demo") / "pages"
        self._page = Template((pages / "index.html").read_text("utf-8"))
        self._card = Template((pages / "card.html").read_text("utf-8"))
        self._assets = {name: (pages / name).read_bytes() for name in ASSETS}
        self._web = WebServer(identity, self._answer, {"/api/live": self._live})
        self._watchers = 0

    async def start(self, port: int) -> int:
        self._stock = StockClient(self._gateway, timeout=2.0)
        return await self._web.start(port)

    async def drain(self) -> None:
        await self._web.drain()
        await self._client.close()
        if self._stock is not None:
            await self._stock.close()

    async def _answer(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return problem(405, "the front page is read only")
        if failure := await self._faults.meet(request):
            return failure
        match request.path.split("/")[1:]:
            case [""]:
                return await self._front()
            case ["assets", name] if name in ASSETS:
                return Response(200, self._assets[name], ASSETS[name], SAFETY)
            case ["api", "stock"]:
                return await self._levels()
        return problem(404, "the front page is at /")

    async def _front(self) -> Response:
        try:
            answer = await self._client.get("/api/catalogue")
            if answer.status != 200:
                raise ConnectionError(f"the catalogue answered {answer.status}")
            cards = "\n".join(self._product(product) for product in answer.json()["products"])
        except (OSError, wire.MalformedMessageError, ValueError, KeyError) as error:
            reason = escape(str(error) or "it did not answer in time")
            cards = f'<p class="empty">The catalogue is out of reach ({reason}). This page goes on trying.</p>'
        who = {name: escape(str(value)) for name, value in self._identity.facts.items()}
        return Response(200, self._page.substitute(who, cards=cards).encode(), HTML, SAFETY)

    def _product(self, product: Mapping[str, Any]) -> str:
        facts = {name: escape(str(product[name])) for name in ("id", "name", "words", "picture")}
        return self._card.substitute(facts, price=f"{int(product['price']) / 100:.2f}")

    async def _levels(self) -> Response:
        assert self._stock is not None, "asked before start"
        try:
            levels = await self._stock.list_levels()
        except grpc.aio.AioRpcError as error:
            return problem(502, f"the stock service did not answer: {error.code().name}")
        return as_json({"levels": _by_product(levels), "from": origin(levels)})

    async def _live(self, _: Request, socket: WebSocket) -> None:
        """Sends `{"tick", "watchers", "levels", "from", "stock"}` every TICK_SECONDS until the peer closes."""
        self._watchers += 1
        tide: dict[str, Any] = {"levels": {}, "stock": None}
        try:
            async with asyncio.TaskGroup() as group:
                ticking = group.create_task(self._tick(socket, tide))
                watching = group.create_task(self._watch(tide))
                while await socket.receive() is not None:
                    pass
                ticking.cancel()
                watching.cancel()
        except* ConnectionError:
            pass  # the peer went away
        finally:
            self._watchers -= 1

    async def _tick(self, socket: WebSocket, tide: Mapping[str, Any]) -> None:
        tick = 0
        while True:
            tick += 1
            facts = {"tick": tick, "watchers": self._watchers, "from": self._identity.facts, **tide}
            await socket.send(json.dumps(facts))
            await asyncio.sleep(TICK_SECONDS)

    async def _watch(self, tide: dict[str, Any]) -> None:
        """Keeps `tide` at what the stock service's stream says; begins again when the stream breaks."""
        assert self._stock is not None, "asked before start"
        while True:
            try:
                async for levels in self._stock.watch(TICK_SECONDS):
                    tide.update(levels=_by_product(levels), stock=origin(levels))
            except grpc.aio.AioRpcError:
                tide.update(stock=None)
            await asyncio.sleep(TICK_SECONDS)


def _by_product(levels: Any) -> dict[str, int]:
    return {level.product: level.units for level in levels.levels}


def server(identity: Identity, gateway: str) -> FrontPage:
    return FrontPage(identity, gateway)


if __name__ == "__main__":
    given = settings("shop")
    run(given, server(given.identity, given.gateway))
