"""Modest, steady traffic through the gateway: requests, calls and lines at a given rate, and two streams that stay."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle

import grpc

from sampan.demo import wire
from sampan.demo.client import Answer, Client, lines, websocket
from sampan.demo.shop import Ports
from sampan.demo.stock_client import StockClient
from sampan.demo.websocket import ProtocolError

IN_FLIGHT = 64  # what is due while so many are under way is skipped, not queued
PRODUCTS = ("yuloh", "lantern", "rope", "net", "kettle", "chart")
PATIENCE = 5.0  # seconds for one request
PAUSE = 1.0  # seconds before a stream that broke is opened again
FAILURES = (OSError, EOFError, wire.MalformedMessageError, ProtocolError, grpc.aio.AioRpcError)  # TimeoutError: OSError


@dataclass(frozen=True, slots=True)
class Count:
    """Of one kind of traffic; of a stream each message counts. `last_error` is in words, "" if there was none."""

    sent: int = 0
    errors: int = 0
    last_error: str = ""


class Traffic:
    """`run` sends `rate` requests per second until it is cancelled; `counts` says at any time what came of them."""

    def __init__(self, ports: Ports, rate: float = 50.0, host: str = "127.0.0.1") -> None:
        if not 0 < rate <= 10_000:
            raise ValueError("rate is between 0 and 10,000 requests per second")
        self._host = host
        self._ports = ports
        self._rate = rate
        self._counts: dict[str, Count] = {}
        self._under_way = 0
        self._product = cycle(PRODUCTS)
        self.skipped = 0

    @property
    def counts(self) -> Mapping[str, Count]:
        """By the names that `live` shows for the routes, in the order of first use."""
        return dict(self._counts)

    async def run(self) -> None:
        web = self._ports.web
        async with (
            Client(self._host, web, timeout=PATIENCE, kept=16) as client,
            StockClient(f"{self._host}:{web}", PATIENCE) as stock,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(self._stream("live", self._live))
            group.create_task(self._stream("stock", lambda: self._watch(stock)))
            await self._pace(group, self._round(client, stock))

    def _round(self, client: Client, stock: StockClient) -> tuple[tuple[str, Callable[[], Awaitable[None]]], ...]:
        """Twenty requests, mixed so that the reviews, where the weights are, get most."""

        def get(path: str, headers: Mapping[str, str] | None = None) -> Callable[[], Awaitable[None]]:
            return lambda: _get(client, path, headers)

        def review(headers: Mapping[str, str] | None = None) -> Callable[[], Awaitable[None]]:
            return lambda: _get(client, f"/api/reviews/{next(self._product)}", headers)

        async def level() -> None:
            await stock.get_level(next(self._product))

        reviews = ("reviews", review())
        catalogue = ("catalogue", get("/api/catalogue"))
        product = ("catalogue", lambda: _get(client, f"/api/catalogue/{next(self._product)}"))
        beta = ("reviews beta", review({"x-beta": "yes"}))
        page, parrot = ("front page", get("/")), ("parrot", self._parrot)
        call, levels = ("stock", level), ("front page", get("/api/stock"))
        asset = ("front page", get("/assets/shop.css"))
        return (
            *(reviews, catalogue, reviews, call, reviews, beta, product, page, reviews, parrot),
            *(reviews, catalogue, reviews, call, levels, beta, product, asset, reviews, call),
        )

    async def _pace(
        self, group: asyncio.TaskGroup, requests: tuple[tuple[str, Callable[[], Awaitable[None]]], ...]
    ) -> None:
        """Open loop: what is due is sent whether or not the last one was answered (within IN_FLIGHT)."""
        clock = asyncio.get_running_loop().time
        due = clock()
        for name, send in cycle(requests):
            due = max(due + 1 / self._rate, clock() - 1)  # after a pause of the machine, no more than a second's worth
            await asyncio.sleep(max(due - clock(), 0))
            if self._under_way >= IN_FLIGHT:
                self.skipped += 1
                continue
            self._under_way += 1
            group.create_task(self._one(name, send))

    async def _one(self, name: str, send: Callable[[], Awaitable[None]]) -> None:
        try:
            await send()
        except FAILURES as error:
            self._note(name, words(error))
        else:
            self._note(name)
        finally:
            self._under_way -= 1

    async def _stream(self, name: str, read: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await read()
            except FAILURES as error:
                self._note(name, words(error))
            await asyncio.sleep(PAUSE)

    async def _live(self) -> None:
        async with asyncio.timeout(PATIENCE) as patience:
            async with websocket(self._host, self._ports.web, "/api/live") as socket:
                while await socket.receive() is not None:
                    self._note("live")
                    patience.reschedule(asyncio.get_running_loop().time() + PATIENCE)

    async def _watch(self, stock: StockClient) -> None:
        async for _ in stock.watch(1.0):
            self._note("stock")

    async def _parrot(self) -> None:
        async with asyncio.timeout(PATIENCE), lines(self._host, self._ports.parrot) as (reader, writer):
            greeting = await reader.readline()
            writer.write(b"bye\n")
            if not greeting or not (await reader.readline()).endswith(b": bye\n"):
                raise EOFError("the parrot hung up")

    def _note(self, name: str, error: str = "") -> None:
        count = self._counts.get(name, Count())
        self._counts[name] = Count(count.sent + 1, count.errors + bool(error), error or count.last_error)


async def _get(client: Client, path: str, headers: Mapping[str, str] | None = None) -> None:
    answer: Answer = await client.get(path, headers)
    if answer.status != 200:
        raise ConnectionError(f"{path} was answered with status {answer.status}")


def words(error: BaseException) -> str:
    """What went wrong, for people."""
    if isinstance(error, grpc.aio.AioRpcError):
        with suppress(AttributeError):
            return f"{error.code().name}: {error.details()}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error) or type(error).__name__
