"""No gateway, or one that says nothing: every probe fails with words, soon, and traffic counts its errors."""

import asyncio

from sampan.demo.check import PROBES, check
from sampan.demo.shop import Ports
from sampan.demo.traffic import Traffic


def test_without_a_gateway_every_probe_fails_with_words(ports: Ports) -> None:
    async def work() -> None:
        async with asyncio.timeout(20):
            results = await check(ports)
        assert len(results) == len(PROBES)
        assert [result for result in results if result.ok or not result.seen] == []

    asyncio.run(work())


def test_a_gateway_that_never_answers_does_not_hang_the_check(ports: Ports) -> None:
    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            writer.close()

    async def work() -> None:
        web = await asyncio.start_server(silent, "127.0.0.1", ports.web)
        parrot = await asyncio.start_server(silent, "127.0.0.1", ports.parrot)
        async with asyncio.timeout(10):
            results = await check(ports, patience=0.3)
        assert [result for result in results if result.ok] == []
        web.close()
        parrot.close()
        servers = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in servers:
            task.cancel()
        await asyncio.gather(*servers, return_exceptions=True)

    asyncio.run(work())


def test_traffic_counts_errors_and_goes_on(ports: Ports) -> None:
    async def work() -> None:
        traffic = Traffic(ports, rate=500)
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            running = group.create_task(traffic.run())
            while sum(count.errors for count in traffic.counts.values()) < 40:
                await asyncio.sleep(0.01)
            running.cancel()
        assert all(count.errors == count.sent and count.last_error for count in traffic.counts.values())

    asyncio.run(work())
