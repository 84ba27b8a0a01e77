"""Each service on its own, over loopback."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from sampan.demo.client import Client, lines, websocket
from sampan.demo.services import catalogue, parrot, reviews, shop, stock
from sampan.demo.services.running import DRAIN_SECONDS, Identity, Server
from sampan.demo.services.web import Request, Response, WebServer
from sampan.demo.stock_client import StockClient, origin


def who(service: str, version: str = "v1") -> Identity:
    return Identity(service, version, f"{service}-{version}-1", 4242)


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[int]:
    port = await server.start(0)
    try:
        yield port
    finally:
        await server.drain()


def with_client(server: Callable[[], Server], work: Callable[[Client], Awaitable[None]]) -> None:
    async def run() -> None:
        async with serving(server()) as port, Client("127.0.0.1", port) as client:
            await work(client)

    asyncio.run(run())


def test_the_catalogue_lists_and_finds_and_says_who_it_is() -> None:
    async def work(client: Client) -> None:
        listed = await client.get("/products")
        assert len(listed.json()["products"]) == 6
        assert listed.json()["from"] == who("catalogue").facts
        assert (listed.instance, listed.version, listed.headers["x-pid"]) == ("catalogue-v1-1", "v1", "4242")
        assert (await client.get("/products/rope")).json()["product"]["id"] == "rope"
        assert [(await client.get(path)).status for path in ("/products/nix", "/", "/products/rope/x")] == [404] * 3
        assert (await client.request("DELETE", "/products")).status == 405

    with_client(lambda: catalogue.server(who("catalogue")), work)


def test_head_has_the_length_and_no_body() -> None:
    async def work(client: Client) -> None:
        full, head = await client.get("/products"), await client.request("HEAD", "/products")
        assert head.headers["content-length"] == full.headers["content-length"]
        assert head.body == b""
        assert (await client.get("/products/rope")).status == 200  # the same connection goes on

    with_client(lambda: catalogue.server(who("catalogue")), work)


@pytest.mark.parametrize(("version", "stars"), [("v1", None), ("v2", 3.5)])
def test_only_the_second_version_of_the_reviews_has_stars(version: str, stars: float | None) -> None:
    async def work(client: Client) -> None:
        answer = (await client.get("/reviews/rope")).json()
        assert answer.get("stars") == stars
        assert all(("stars" in review) == (version == "v2") for review in answer["reviews"])
        assert answer["from"]["version"] == version

    with_client(lambda: reviews.server(who("reviews", version)), work)


def test_trouble_comes_on_request() -> None:
    async def work(client: Client) -> None:
        statuses = [(await client.get("/reviews/rope?flaky=a")).status for _ in range(3)]
        assert statuses == [503, 200, 200]
        assert (await client.get("/reviews/rope?fail=429")).status == 429
        assert (await client.get("/reviews/rope?fail=nan&delay=x")).status == 200

    with_client(lambda: reviews.server(who("reviews")), work)


def test_what_is_not_http_gets_400_and_the_end() -> None:
    async def work() -> None:
        async with (
            serving(catalogue.server(who("catalogue"))) as port,
            asyncio.timeout(5),
            lines("127.0.0.1", port) as (reader, writer),
        ):
            writer.write(b"hello\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
            assert b"connection: close" in await reader.read()

    asyncio.run(work())


def test_the_stock_answers_calls_streams_and_health() -> None:
    async def work() -> None:
        async with (
            serving(stock.Stock(who("stock"), clock=lambda: 0.0)) as port,
            StockClient(f"127.0.0.1:{port}") as client,
            asyncio.timeout(10),
        ):
            level = await client.get_level("kettle")
            assert (level.product, level.units) == ("kettle", stock.units("kettle", 0.0))
            assert origin(level) == who("stock").facts
            assert len((await client.list_levels()).levels) == 6
            assert [len(levels.levels) async for levels in _first(client.watch(0.02), 3)] == [6, 6, 6]
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await client.get_level("anchor")
            assert caught.value.code() is grpc.StatusCode.NOT_FOUND

    asyncio.run(work())


async def _first(stream: AsyncIterator[Any], count: int) -> AsyncIterator[Any]:
    async for item in stream:
        yield item
        count -= 1
        if not count:
            return


def test_a_stream_of_the_stock_ends_in_order_when_the_service_stops() -> None:
    async def work() -> int:
        service = stock.Stock(who("stock"))
        port = await service.start(0)
        seen = 0
        async with StockClient(f"127.0.0.1:{port}") as client, asyncio.timeout(10), asyncio.TaskGroup() as group:
            async for _ in client.watch(0.02):
                seen += 1
                if seen == 1:
                    group.create_task(service.drain())
        return seen

    assert asyncio.run(work()) >= 1


def test_levels_stay_in_the_hold() -> None:
    levels = [stock.units(product.id, float(now)) for product in catalogue.PRODUCTS for now in range(0, 1000, 7)]
    assert 0 < min(levels) < max(levels) <= 36


def test_the_parrot_greets_repeats_and_says_goodbye() -> None:
    async def work() -> None:
        async with (
            serving(parrot.server(who("parrot"))) as port,
            asyncio.timeout(5),
            lines("127.0.0.1", port) as (reader, writer),
        ):
            assert await reader.readline() == b"hello from parrot-v1-1 (v1, pid 4242)\n"
            writer.write(b"ahoy\nbye\n")
            assert await reader.read() == b"parrot-v1-1: ahoy\nparrot-v1-1: bye\n"

    asyncio.run(work())


def test_the_front_page_without_a_gateway_says_so_and_allows_nothing_foreign(unused_port: int) -> None:
    async def work(client: Client) -> None:
        page = await client.get("/")
        assert page.status == 200
        assert b"The catalogue is out of reach" in page.body
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
        assert (await client.get("/api/stock")).status == 502
        assert (await client.get("/assets/shop.css")).headers["content-type"] == "text/css; charset=utf-8"
        for path in ("/assets/index.html", "/assets/../shop.css", "/assets/", "/nix"):
            assert (await client.get(path)).status == 404

    with_client(lambda: shop.server(who("shop"), f"127.0.0.1:{unused_port}"), work)


def test_the_front_page_shows_data_as_text() -> None:
    async def hostile(_: Request) -> Response:
        product = {"id": '"><b>', "name": "<script>$name", "words": "a & b", "price": 1, "picture": "x"}
        return Response(200, json.dumps({"products": [product]}).encode())

    async def work() -> str:
        async with (
            serving(WebServer(who("catalogue"), hostile)) as gateway,
            serving(shop.server(who("shop"), f"127.0.0.1:{gateway}")) as port,
            Client("127.0.0.1", port) as client,
        ):
            return (await client.get("/")).body.decode()

    page = asyncio.run(work())
    assert "&lt;script&gt;$name" in page
    assert 'data-product="&quot;&gt;&lt;b&gt;"' in page
    assert "a &amp; b" in page
    assert "<script>$name" not in page


def test_the_live_line_ticks_and_closes(unused_port: int) -> None:
    async def work() -> None:
        front = shop.server(who("shop"), f"127.0.0.1:{unused_port}")
        port = await front.start(0)
        async with asyncio.timeout(10), websocket("127.0.0.1", port, "/api/live") as socket:
            tick = json.loads(await socket.receive() or "")
            assert (tick["tick"], tick["watchers"], tick["from"]) == (1, 1, who("shop").facts)
            async with asyncio.TaskGroup() as group:
                group.create_task(front.drain())
                while await socket.receive() is not None:
                    pass

    asyncio.run(work())


def test_a_request_in_flight_is_finished_when_the_service_stops() -> None:
    async def work() -> tuple[int, str]:
        entered, leave = asyncio.Event(), asyncio.Event()

        async def slow(_: Request) -> Response:
            entered.set()
            await leave.wait()
            return Response(200, b"done")

        server = WebServer(who("slow"), slow)
        port = await server.start(0)
        async with asyncio.timeout(10), Client("127.0.0.1", port) as client, asyncio.TaskGroup() as group:
            answer = group.create_task(client.get("/"))
            await entered.wait()
            draining = group.create_task(server.drain())
            await _refused(port)
            assert not draining.done()
            leave.set()
        return answer.result().status, answer.result().headers["connection"]

    assert asyncio.run(work()) == (200, "close")


def test_a_request_that_nobody_waits_for_does_not_hold_up_the_end() -> None:
    async def work() -> float:
        entered = asyncio.Event()

        async def endless(_: Request) -> Response:
            entered.set()
            await asyncio.Event().wait()
            raise AssertionError("never set")

        server = WebServer(who("slow"), endless)
        port = await server.start(0)
        async with lines("127.0.0.1", port) as (_, writer):
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            await asyncio.wait_for(entered.wait(), 5)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"nonsense\r\n\r\n")  # answered after the server has heard of the first one's end
        await reader.read()
        writer.close()
        began = asyncio.get_running_loop().time()
        await server.drain()
        return asyncio.get_running_loop().time() - began

    assert asyncio.run(work()) < DRAIN_SECONDS / 2


async def _refused(port: int) -> None:
    """Waits until nobody accepts connections there."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionError:
            return
        writer.close()
        await asyncio.sleep(0)


@pytest.fixture
def unused_port(ports: Any) -> int:
    port: int = ports.web
    return port
