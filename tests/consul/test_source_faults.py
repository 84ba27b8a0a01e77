"""The source and a Consul that misbehaves: flapping, garbage, limits, indexes of the past, datacentres out of reach."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from sampan.consul.target import Target
from sampan.sources.consul.followers import GIVEN_UP
from sampan.sources.consul.reading import Options
from sampan.sources.consul.watch import Consul

from .collector import NOW, Said, reading, run
from .fake import serving
from .fake_consul import FakeConsul, cut, too_many


async def quick(seconds: float) -> None:
    """Instead of waiting before another try."""
    await asyncio.sleep(min(seconds, 0.001))


@asynccontextmanager
async def read(consul: FakeConsul, **more: Any) -> AsyncIterator[tuple[Said, Consul]]:
    async with serving(consul) as address:
        source = Consul(Target(address), lambda: NOW, sleep=quick, **more)
        async with reading(source) as said:
            yield said, source


def down(said: Said, key: str) -> bool:
    return set(said.states(key).values()) == {"down"}


def test_a_service_that_flaps_costs_no_other() -> None:
    async def main() -> None:
        consul = FakeConsul()
        for number in range(50):
            consul.register(f"s{number}")
        async with read(consul) as (said, _):
            before = {key: loaded for key, loaded in said.keys.items() if key != "/s7"}
            seen = len(said.records)
            for turn in range(100):
                status = ("critical", "passing")[turn % 2]
                consul.register("s7", status=status)
                await said.until(lambda status=status: down(said, "/s7") == (status == "critical"))
            assert {key for records in said.records[seen:] for key in records.changed} == {"/s7"}
            assert len(said.records) - seen <= 100
            assert all(said.keys[key] is loaded for key, loaded in before.items())
            others = [path for path in consul.counts if "/service/" in path and not path.endswith("/s7")]
            # Each was read once, and has one query that still waits.
            assert all(consul.counts[path] <= 2 for path in others)

    run(main())


def test_changes_between_two_looks_are_one() -> None:
    async def main() -> None:
        consul = FakeConsul()
        consul.register("s")
        async with read(consul) as (said, _):
            seen = len(said.records)
            for turn in range(1001):
                consul.register("s", status=("critical", "passing")[turn % 2])
            await said.until(lambda: down(said, "/s"))
            assert len(said.records) - seen == 1

    run(main())


@pytest.mark.parametrize(
    "garbage",
    [
        lambda index: web.Response(text="<html>gateway</html>", headers={"X-Consul-Index": index}),
        lambda index: web.json_response({"not": "a list"}, headers={"X-Consul-Index": index}),
        lambda index: web.json_response([{"Node": None}], headers={"X-Consul-Index": index}),
        lambda index: web.Response(status=500, text="rpc error making call: EOF"),
        lambda index: web.json_response([], headers={"X-Consul-Index": index, "X-Consul-KnownLeader": "false"}),
    ],
)
def test_garbage_about_one_service_takes_nothing_away(garbage: Any) -> None:
    async def main() -> None:
        consul = FakeConsul()
        consul.register("bad")
        consul.register("good")
        async with read(consul) as (said, _):
            kept = said.keys["/bad"]
            consul.faults["/v1/health/service/bad"] = lambda: garbage(str(consul.index))
            consul.register("bad", status="critical")
            await said.until(lambda: not said.health.ok)
            assert said.keys["/bad"] is kept
            (told,) = said.diagnostics
            assert told.startswith("SMP0210 service bad cannot be read since")
            consul.register("good", status="critical")
            await said.until(lambda: down(said, "/good"))
            del consul.faults["/v1/health/service/bad"]
            consul.register("bad", status="critical")
            await said.until(lambda: said.health.ok and down(said, "/bad"))

    run(main())


@pytest.mark.parametrize(
    "garbage",
    [
        lambda index: web.Response(text="<html>gateway</html>", headers={"X-Consul-Index": index}),
        lambda index: web.json_response(["no", "catalogue"], headers={"X-Consul-Index": index}),
        lambda index: web.Response(status=502, text="bad gateway"),
        lambda index: web.json_response({}, headers={"X-Consul-Index": index}),
        lambda index: web.json_response({}, headers={"X-Consul-Index": index, "X-Consul-KnownLeader": "false"}),
    ],
)
def test_garbage_instead_of_the_catalogue_takes_nothing_away(garbage: Any) -> None:
    async def main() -> None:
        consul = FakeConsul()
        consul.register("web")
        async with read(consul) as (said, _):
            consul.faults["/v1/catalog/services"] = lambda: garbage(str(consul.index))
            consul.register("late")
            await said.until(lambda: not said.health.ok)
            assert set(said.keys) == {"/web"}
            consul.register("web", status="critical")
            await said.until(lambda: down(said, "/web"))
            consul.faults.clear()
            consul.wake()
            await said.until(lambda: said.health.ok and "/late" in said.keys)

    run(main())


def test_indexes_that_go_backwards_start_everything_over() -> None:
    async def main() -> None:
        consul = FakeConsul(index=1000)
        consul.register("stays")
        consul.register("goes")
        async with read(consul) as (said, _):
            consul.begin_anew(5)
            consul.register("stays", 9090)
            consul.register("comes")
            # A Consul answers a blocking query of the past when its time is over; this one is asked for less long.
            consul.faults["/v1/catalog/services"] = lambda: web.json_response(
                {"consul": [], "stays": [], "comes": []}, headers={"X-Consul-Index": str(consul.index)}
            )
            consul.wake()
            await said.until(lambda: set(said.keys) == {"/stays", "/comes"} and "stays-9090" in said.states("/stays"))
            consul.faults.clear()
            consul.wake()
            consul.register("comes", status="critical")
            await said.until(lambda: down(said, "/comes"))
            assert said.health.ok

    run(main())


@pytest.mark.parametrize("refuse", [cut, too_many])
def test_connections_that_are_refused_are_given_up(refuse: Any) -> None:
    async def main() -> None:
        consul = FakeConsul(limit=200)
        consul.most_admitted, consul.refuse = 60, refuse
        for number in range(100):
            consul.register(f"s{number:02}")
        async with read(consul) as (said, source):
            await said.until(lambda: len(said.keys) == 100)
            while len(source.followed()) > 60:
                await asyncio.sleep(0)
            await said.until(lambda: said.health.ok)
            consul.register("s99", status="critical")
            await said.until(lambda: down(said, "/s99"))

    run(main())


def test_a_process_that_was_killed_leaves_its_connections_behind() -> None:
    """Consul does not notice that a connection with a blocking query was closed: it counts until its time is over."""

    async def main() -> None:
        consul = FakeConsul(limit=120)
        consul.most_admitted = 120
        for number in range(100):
            consul.register(f"s{number:02}")
        async with serving(consul, cancels=False) as address:
            for run_number in range(2):
                source = Consul(Target(address), lambda: NOW, sleep=quick)
                async with reading(source) as said:
                    await said.until(lambda: len(said.keys) == 100)
                    if not run_number:
                        while consul.open < 80:
                            await asyncio.sleep(0)
                        continue
                    while len(source.followed()) > 120 - 80:
                        await asyncio.sleep(0)
                    for number in range(100):
                        consul.register(f"s{number:02}", status="critical")
                        await said.until(lambda number=number: down(said, f"/s{number:02}"))
                    await said.until(lambda: said.health.ok)

    run(main())


def test_who_makes_room_for_another_leaves_no_connection_behind() -> None:
    async def main() -> None:
        consul = FakeConsul(limit=60)
        for number in range(100):
            consul.register(f"s{number:02}")
        async with serving(consul, cancels=False) as address:
            source = Consul(Target(address), lambda: NOW, sleep=quick)
            async with reading(source) as said:
                await said.until(lambda: len(said.keys) == 100)
                first = source.followed()
                for turn in range(2):
                    for number in range(100):
                        consul.register(f"s{number:02}", status=("critical", "passing")[turn])
                        await said.until(lambda number=number, turn=turn: down(said, f"/s{number:02}") == (turn == 0))
                while source.followed() == first:
                    # A query that ends makes room for what changed later.
                    for key in first:
                        consul.register(key.removeprefix("/"), status="warning")
                    await asyncio.sleep(0)
                assert consul.most_open <= 30 + GIVEN_UP

    run(main())


def test_other_datacentres_are_read_and_may_be_out_of_reach() -> None:
    async def main() -> None:
        consul = FakeConsul()
        consul.register("web")
        consul.register("web", dc="dc2")
        async with read(consul, options=Options(("dc2", "dc3"))) as (said, _):
            await said.until(lambda: not said.health.ok and "dc2/web" in said.keys)
            assert set(said.keys) == {"/web", "dc2/web"}
            assert [item.ref.name for item in said.keys["dc2/web"].objects] == ["web@dc2", "web@dc2@n1/web-8080"]
            assert said.keys["dc2/web"].objects[1].meta.labels["sampan.dev/datacenter"] == "dc2"
            (told,) = said.diagnostics
            assert "(datacentre dc3) gives no answer" in told
            consul.register("web", dc="dc2", status="critical")
            await said.until(lambda: down(said, "dc2/web"))
            assert not down(said, "/web")
            consul.register("api", dc="dc3")
            await said.until(lambda: said.health.ok and "dc3/api" in said.keys)

    run(main())


def test_a_crowd_is_watched_over_few_connections() -> None:
    async def main() -> None:
        consul = FakeConsul(limit=60)
        for number in range(300):
            consul.register(f"s{number:03}")
        async with read(consul) as (said, source):
            await said.until(lambda: len(said.keys) == 300)
            assert said.health.ok
            assert len(source.followed()) == 60 - 30 - 11 - 4
            for number in (299, 0, 150):
                consul.register(f"s{number:03}", status="critical")
                await said.until(lambda number=number: down(said, f"/s{number:03}"))
                consul.register(f"s{number:03}", port=9090)
                await said.until(lambda number=number: len(said.states(f"/s{number:03}")) == 2)
            assert consul.most_open <= 30

    run(main())


def test_what_documents_refer_to_is_followed() -> None:
    async def main() -> None:
        consul = FakeConsul(limit=40)
        for number in range(30):
            consul.register(f"s{number:02}")
        async with read(consul) as (said, source):
            await said.until(lambda: len(said.keys) == 30)
            assert "/s29" not in source.followed()
            source.use({"s29", "s28@consul"})
            while not {"/s29", "/s28"} <= source.followed():
                await asyncio.sleep(0)
            assert len(source.followed()) == 40 - 20 - 11 - 4

    run(main())
