"""A client of `shop.v1.Stock` through the gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio

from sampan.demo import stock_messages as messages

AUTHORITY = "stock.localhost"  # the hostname of the gateway's gRPC listener, see documents/gateway.yaml


class StockClient:
    """Calls `target` (`host:port`). A call fails with grpc.aio.AioRpcError, after `timeout` seconds at the latest."""

    def __init__(self, target: str, timeout: float = 5.0, authority: str = AUTHORITY) -> None:
        options = (
            ("grpc.default_authority", authority),
            ("grpc.enable_http_proxy", 0),  # the gateway is here, whatever the environment says of proxies
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.max_reconnect_backoff_ms", 1000),
            ("grpc.initial_reconnect_backoff_ms", 100),
        )
        self._channel = grpc.aio.insecure_channel(target, options=options)
        self._timeout = timeout

    async def get_level(self, product: str) -> Any:
        return await self._unary("GetLevel", messages.LevelRequest(product=product), messages.Level)

    async def list_levels(self) -> Any:
        return await self._unary("ListLevels", messages.LevelsRequest(), messages.Levels)

    async def call_nothing(self) -> Any:
        """Calls a service that no route knows."""
        return await self._unary("GetNothing", messages.LevelsRequest(), messages.Levels, "shop.v1.Nothing")

    async def watch(self, interval: float, limit: float | None = None) -> AsyncIterator[Any]:
        """All levels every `interval` seconds, for at most `limit` seconds."""
        call = self._channel.unary_stream(
            f"/{messages.SERVICE}/Watch", messages.WatchRequest.SerializeToString, messages.Levels.FromString
        )(messages.WatchRequest(interval_ms=round(interval * 1000)), timeout=limit)
        try:
            async for levels in call:
                yield levels
        finally:
            call.cancel()

    async def _unary(self, method: str, request: Any, response: Any, service: str = messages.SERVICE) -> Any:
        call = self._channel.unary_unary(f"/{service}/{method}", type(request).SerializeToString, response.FromString)
        return await call(request, timeout=self._timeout)

    async def close(self) -> None:
        await self._channel.close()

    async def __aenter__(self) -> StockClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def origin(message: Any) -> dict[str, str | int]:
    """Which instance made a Level or Levels."""
    found = getattr(message, "from")  # a word of Python, hence getattr
    return {"service": found.service, "version": found.version, "instance": found.instance, "pid": found.pid}
