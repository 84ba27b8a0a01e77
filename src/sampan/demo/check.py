"""Asks the gateway for everything the shop's documents promise, once, and says what it saw."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import grpc

from sampan.demo.client import Answer, Client, lines, websocket
from sampan.demo.shop import Ports
from sampan.demo.stock_client import AUTHORITY, StockClient, origin
from sampan.demo.traffic import FAILURES, PRODUCTS, words

PATIENCE = 10.0  # seconds for one probe; they all run at once
SPLIT_REQUESTS = 200
MIN_SHARE = 0.25  # of each version: with 200 requests at 50/50 less has a chance of 1 in 10^12


@dataclass(frozen=True, slots=True)
class Result:
    """`asked` and `seen` are for people: what was sent, and what came back."""

    name: str
    asked: str
    seen: str
    ok: bool


class NotSeenError(Exception):
    """The answer is not the promised one; the text says what came instead."""


@dataclass(frozen=True, slots=True)
class Through:
    """The gateway, as the probes need it."""

    host: str
    ports: Ports
    client: Client
    stock: StockClient


Probe = Callable[[Through], Awaitable[str]]


async def check(ports: Ports, host: str = "127.0.0.1", patience: float = PATIENCE) -> tuple[Result, ...]:
    """One Result for each probe, in the order of PROBES. Takes about as long as the slowest, at most `patience`."""
    async with (
        Client(host, ports.web, timeout=patience, kept=32) as client,
        StockClient(f"{host}:{ports.web}", patience) as stock,
        asyncio.TaskGroup() as group,
    ):
        through = Through(host, ports, client, stock)
        tasks = [group.create_task(result(name, asked, probe(through), patience)) for name, asked, probe in PROBES]
        # Awaited inside, while the clients are open.
        return tuple(await asyncio.gather(*tasks))


async def result(name: str, asked: str, answer: Awaitable[str], patience: float) -> Result:
    try:
        async with asyncio.timeout(patience):
            return Result(name, asked, await answer, True)
    except NotSeenError as error:
        return Result(name, asked, str(error), False)
    except FAILURES as error:
        return Result(name, asked, words(error), False)
    except (KeyError, ValueError, TypeError) as error:
        return Result(name, asked, f"an answer of another shape: {error!r}", False)


def expect(holds: bool, seen: str) -> None:
    if not holds:
        raise NotSeenError(seen)


def _is_200(answer: Answer) -> None:
    expect(answer.status == 200, f"status {answer.status}: {answer.body[:80].decode('utf-8', 'replace')}")


async def _front_page(through: Through) -> str:
    answer = await through.client.get("/")
    _is_200(answer)
    text = answer.body.decode()
    shown = sum(f'data-product="{product}"' in text for product in PRODUCTS)
    expect(shown == len(PRODUCTS), f"a page with {shown} of {len(PRODUCTS)} products")
    return f"a page with {shown} products from {answer.instance}"


async def _assets(through: Through) -> str:
    style, script = await asyncio.gather(*map(through.client.get, ("/assets/shop.css", "/assets/shop.js")))
    _is_200(style)
    _is_200(script)
    return f"{len(style.body)} bytes of style, {len(script.body)} of script"


async def _added_header(through: Through) -> str:
    answer = await through.client.get("/api/stock")
    _is_200(answer)
    found = answer.headers.get("x-gateway", "")
    expect(found == "sampan", f"x-gateway: {found or 'absent'}")
    return f"x-gateway: {found}; stock over gRPC from {answer.json()['from']['instance']}"


async def _catalogue(through: Through) -> str:
    seen: Counter[str] = Counter()
    for _ in range(40):
        answer = await through.client.get("/api/catalogue")
        _is_200(answer)
        expect(len(answer.json()["products"]) == len(PRODUCTS), "a catalogue without its products")
        seen[answer.instance] += 1
        if len(seen) == 2:
            break
    expect(len(seen) == 2, f"only {_shares(seen)}")
    return f"both instances: {', '.join(sorted(seen))}"


async def _rewrite(through: Through) -> str:
    answer = await through.client.get("/api/catalogue/kettle")
    _is_200(answer)
    name = answer.json()["product"]["name"]
    expect(name == "Deck kettle", f"product {name}")
    return f"{name}, known inside as /products/kettle"


async def _segments(through: Through) -> str:
    answer = await through.client.get("/api/catalogues")
    expect(answer.status == 404 and not answer.instance, f"status {answer.status} from {answer.instance or 'gateway'}")
    return "status 404: a prefix ends at a slash"


async def _split(through: Through) -> str:
    seen: Counter[str] = Counter()
    gate = asyncio.Semaphore(16)

    async def one(number: int) -> None:
        async with gate:
            answer = await through.client.get(f"/api/reviews/{PRODUCTS[number % len(PRODUCTS)]}")
        _is_200(answer)
        seen[answer.version] += 1

    await asyncio.gather(*(one(number) for number in range(SPLIT_REQUESTS)))
    enough = all(seen[version] >= MIN_SHARE * SPLIT_REQUESTS for version in ("v1", "v2"))
    expect(enough and len(seen) == 2, f"of {SPLIT_REQUESTS} answers {_shares(seen)}")
    return f"of {SPLIT_REQUESTS} answers {_shares(seen)}"


async def _beta(through: Through) -> str:
    seen: Counter[str] = Counter()
    for _ in range(20):
        answer = await through.client.get("/api/reviews/kettle", {"x-beta": "yes"})
        _is_200(answer)
        seen[answer.version] += 1
    expect(set(seen) == {"v2"} and "stars" in answer.json(), f"of 20 answers {_shares(seen)}")
    return f"20 of 20 from v2, with {answer.json()['stars']} stars"


async def _redirect(through: Through) -> str:
    answer = await through.client.get("/old-shop")
    target = answer.headers.get("location", "")
    expected = f"http://{through.host}:{through.ports.web}/"
    expect(answer.status == 302 and target in ("/", expected), f"status {answer.status} to {target or 'nowhere'}")
    return f"status 302 to {target}"


async def _unknown(through: Through) -> str:
    answer = await through.client.get("/no/such/page")
    expect(answer.status == 404 and not answer.instance, f"status {answer.status} from {answer.instance or 'gateway'}")
    return "status 404, from the gateway itself"


async def _other_host(through: Through) -> str:
    answer = await through.client.get("/api/catalogue", {"host": AUTHORITY})
    expect(answer.status == 404 and not answer.instance, f"status {answer.status} from {answer.instance or 'gateway'}")
    return "status 404: that host belongs to the gRPC listener"


async def _route_timeout(through: Through) -> str:
    return await _given_up(through, "/api/catalogue?delay=4", 1.8, 3.5)


async def _policy_timeout(through: Through) -> str:
    return await _given_up(through, "/api/reviews/kettle?delay=4", 0.8, 1.8)


async def _given_up(through: Through, path: str, least: float, most: float) -> str:
    clock = asyncio.get_running_loop().time
    began = clock()
    answer = await through.client.get(path)
    took = clock() - began
    expect(answer.status == 504 and least <= took <= most, f"status {answer.status} after {took:.1f} s")
    return f"status 504 after {took:.1f} s"


async def _retry(through: Through) -> str:
    key = os.urandom(6).hex()
    answer = await through.client.get(f"/api/reviews/kettle?flaky={key}")
    _is_200(answer)
    attempts = answer.json()["attempts"]
    expect(attempts >= 2, f"status 200 at attempt {attempts}")
    return f"status 200 at attempt {attempts}, from {answer.instance}"


async def _unary(through: Through) -> str:
    level = await through.stock.get_level("kettle")
    expect(level.product == "kettle", f"product {level.product}")
    return f"{level.units} kettles, says {origin(level)['instance']}"


async def _stream(through: Through) -> str:
    count = 0
    async for levels in through.stock.watch(0.05, PATIENCE):
        expect(len(levels.levels) == len(PRODUCTS), f"{len(levels.levels)} products in a message")
        count += 1
        if count == 3:
            return f"{count} messages from {origin(levels)['instance']}"
    raise NotSeenError(f"the stream ended after {count} messages")


async def _status(through: Through) -> str:
    return await _refused(through.stock.get_level("anchor"), grpc.StatusCode.NOT_FOUND)


async def _no_such_service(through: Through) -> str:
    return await _refused(through.stock.call_nothing(), grpc.StatusCode.UNIMPLEMENTED)


async def _refused(call: Awaitable[object], expected: grpc.StatusCode) -> str:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        expect(error.code() is expected, words(error))
        return f"{expected.name}"
    raise NotSeenError("an answer, instead of an error")


async def _parrot(through: Through) -> str:
    async with lines(through.host, through.ports.parrot) as (reader, writer):
        greeting = (await reader.readline()).decode().strip()
        writer.write(b"pieces of eight\n")
        echo = (await reader.readline()).decode().strip()
    expect(greeting.startswith("hello from parrot"), greeting or "nothing: the connection was closed")
    expect(echo.endswith(": pieces of eight"), echo or "no echo")
    return f"“{greeting}”, and the line back"


async def _live(through: Through) -> str:
    async with websocket(through.host, through.ports.web, "/api/live") as socket:
        ticks = [await socket.receive() for _ in range(2)]
    expect(all(ticks), "the connection was closed")
    return "two ticks on one connection"


PROBES: tuple[tuple[str, str, Probe], ...] = (
    ("front page", "GET /", _front_page),
    ("front page: assets", "GET /assets/…", _assets),
    ("front page: header added", "GET /api/stock", _added_header),
    ("catalogue: two instances", "GET /api/catalogue, until both", _catalogue),
    ("catalogue: path rewritten", "GET /api/catalogue/kettle", _rewrite),
    ("catalogue: whole segments", "GET /api/catalogues", _segments),
    ("catalogue: timeout of the route", "GET /api/catalogue?delay=4", _route_timeout),
    ("reviews: weights", f"{SPLIT_REQUESTS} × GET /api/reviews/…", _split),
    ("reviews: header", "20 × GET /api/reviews/kettle, x-beta: yes", _beta),
    ("reviews: Timeout policy", "GET /api/reviews/kettle?delay=4", _policy_timeout),
    ("reviews: Retry policy", "GET /api/reviews/kettle?flaky=…", _retry),
    ("redirect", "GET /old-shop", _redirect),
    ("no route", "GET /no/such/page", _unknown),
    ("no route for this host", f"GET /api/catalogue, host: {AUTHORITY}", _other_host),
    ("stock: unary call", "shop.v1.Stock/GetLevel kettle", _unary),
    ("stock: stream", "shop.v1.Stock/Watch", _stream),
    ("stock: an error passes", "shop.v1.Stock/GetLevel anchor", _status),
    ("stock: no such service", "shop.v1.Nothing/GetNothing", _no_such_service),
    ("parrot: TCP", "a line", _parrot),
    ("live: WebSocket", "GET /api/live, upgraded", _live),
)


def _shares(seen: Counter[str]) -> str:
    total = sum(seen.values()) or 1
    return ", ".join(f"{100 * count / total:.0f} % {name}" for name, count in sorted(seen.items())) or "nothing"
