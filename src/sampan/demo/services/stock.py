"""How much of everything is left, over gRPC: `shop.v1.Stock`, with `grpc.health.v1.Health` beside it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio

from sampan.demo import stock_messages as messages
from sampan.demo.services.catalogue import PRODUCTS
from sampan.demo.services.running import DRAIN_SECONDS, HOST, Identity, run, settings

MIN_INTERVAL, DEFAULT_INTERVAL = 0.02, 1.0  # seconds


def units(product: str, now: float) -> int:
    """Sells down and is filled up again, each product at its own pace: a slow tide, a pure function of the clock."""
    place = next(index for index, known in enumerate(PRODUCTS) if known.id == product)
    tide = 0.5 + 0.5 * math.cos(now / (7 + 2 * place) + place)
    return round(3 + 5 * place % 17 + 12 * tide)


class Stock:
    protocol = "grpc"

    def __init__(self, identity: Identity, clock: Callable[[], float] = time.time) -> None:
        self._identity = identity
        self._clock = clock
        self._server: grpc.aio.Server | None = None
        self._ending = asyncio.Event()

    async def start(self, port: int) -> int:
        # Without SO_REUSEPORT off, two instances given one port would share it and hide the mistake.
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((self._stock(), self._health()))
        bound = self._server.add_insecure_port(f"{HOST}:{port}")
        await self._server.start()
        return bound

    async def drain(self) -> None:
        """Streams end by themselves with the next message; unary calls finish."""
        self._ending.set()
        if self._server is not None:
            await self._server.stop(DRAIN_SECONDS)

    def _stock(self) -> grpc.GenericRpcHandler:
        handlers = {
            "GetLevel": grpc.unary_unary_rpc_method_handler(
                self._get_level, messages.LevelRequest.FromString, messages.Level.SerializeToString
            ),
            "ListLevels": grpc.unary_unary_rpc_method_handler(
                self._list_levels, messages.LevelsRequest.FromString, messages.Levels.SerializeToString
            ),
            "Watch": grpc.unary_stream_rpc_method_handler(
                self._watch, messages.WatchRequest.FromString, messages.Levels.SerializeToString
            ),
        }
        return grpc.method_handlers_generic_handler(messages.SERVICE, handlers)

    def _health(self) -> grpc.GenericRpcHandler:
        request, response = messages.HealthCheckRequest.FromString, messages.HealthCheckResponse.SerializeToString
        handlers = {"Check": grpc.unary_unary_rpc_method_handler(self._check_health, request, response)}
        return grpc.method_handlers_generic_handler(messages.HEALTH_SERVICE, handlers)

    async def _get_level(self, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        await self._say_who(context)
        if request.product not in {product.id for product in PRODUCTS}:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such product; ListLevels lists them")
        return self._level(request.product)

    async def _list_levels(self, _: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        await self._say_who(context)
        return self._levels()

    async def _watch(self, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
        await self._say_who(context)
        interval = max(request.interval_ms / 1000, MIN_INTERVAL) if request.interval_ms else DEFAULT_INTERVAL
        while not self._ending.is_set():
            yield self._levels()
            try:
                await asyncio.wait_for(self._ending.wait(), interval)
            except TimeoutError:
                continue

    async def _check_health(self, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        if request.service not in ("", messages.SERVICE):
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such service here")
        return messages.HealthCheckResponse(status=messages.SERVING)

    def _levels(self) -> Any:
        levels = messages.Levels(levels=[self._level(product.id) for product in PRODUCTS])
        self._sign(levels)
        return levels

    def _level(self, product: str) -> Any:
        level = messages.Level(product=product, units=units(product, self._clock()))
        self._sign(level)
        return level

    def _sign(self, message: Any) -> None:
        origin = getattr(message, "from")  # a word of Python, hence getattr
        origin.service, origin.version = self._identity.service, self._identity.version
        origin.instance, origin.pid = self._identity.instance, self._identity.pid

    async def _say_who(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        await context.send_initial_metadata(tuple(self._identity.headers.items()))


def server(identity: Identity) -> Stock:
    return Stock(identity)


if __name__ == "__main__":
    given = settings("stock")
    run(given, server(given.identity))
