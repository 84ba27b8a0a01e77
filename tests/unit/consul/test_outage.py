"""Waiting while Consul is away."""

from __future__ import annotations

import asyncio

from sampan.consul.outage import LAST, LIMITED_LAST, Outage, pause


class Sleeps:
    """Sleeps until the test lets it, and notes for how long it would have."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.go = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await self.go.wait()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_pauses_double_up_to_the_last_and_differ_by_chance() -> None:
    assert [pause(attempt, 1.0, 10.0, lambda: 1.0) for attempt in range(1, 7)] == [1, 2, 4, 8, 10, 10]
    assert pause(3, 1.0, 10.0, lambda: 0.0) == 2.0
    assert pause(10_000) <= LAST


def test_one_asks_and_the_others_wait_for_it() -> None:
    async def main() -> None:
        sleeps = Sleeps()
        outage = Outage(sleeps)
        tasks = [asyncio.create_task(outage.wait()) for _ in range(100)]
        await settle()
        assert len(sleeps.seconds) == 1
        sleeps.go.set()
        await settle()
        assert [task.done() for task in tasks].count(True) == 1
        assert not tasks[0].result()
        outage.note_answer()
        assert all(await asyncio.gather(*tasks[1:]))
        # However long the outage was, nobody waits for long after it.
        assert max(sleeps.seconds) < 0.1

    asyncio.run(main())


def test_who_fails_while_others_are_answered_waits_longer_and_longer() -> None:
    async def main() -> None:
        sleeps = Sleeps()
        outage = Outage(sleeps)
        asking = asyncio.create_task(outage.wait())
        await settle()
        for refused in (1, 3, 30):
            outage.note_answer()
            waiting = asyncio.create_task(outage.wait(refused))
            await settle()
            assert min(LIMITED_LAST, 2.0 ** (refused - 1)) / 2 <= sleeps.seconds[-1] <= LIMITED_LAST
            waiting.cancel()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

    asyncio.run(main())


def test_who_asks_may_be_cancelled() -> None:
    async def main() -> None:
        sleeps = Sleeps()
        outage = Outage(sleeps)
        first = asyncio.create_task(outage.wait())
        await settle()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        second = asyncio.create_task(outage.wait())
        await settle()
        assert len(sleeps.seconds) == 2
        sleeps.go.set()
        assert not await second

    asyncio.run(main())
