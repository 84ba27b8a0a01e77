"""The timer that ends sessions: it waits for the next deadline, and comes back when the disk is full."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import monotonic

import pytest

from sampan.registry import registry as registries
from sampan.registry.expiry import Expiry
from sampan.registry.identity import Identity
from sampan.registry.registry import Registry
from sampan.registry.session_row import SessionRow
from sampan.registry.sessions import session_topic
from sampan.registry.store import Store, StoreError

IDENTITY = Identity("laptop", "6e1ad1a2-1f0c-4a4b-9d3c-8c1f0b9d1c11")
ALMOST = 10.99
"""Of the eleven seconds that a session of ten has."""


class Ahead:
    """A clock that can be moved on."""

    def __init__(self) -> None:
        self.by = 0.0

    def __call__(self) -> float:
        return monotonic() + self.by


def create(registry: Registry, ttl: str = "10s") -> SessionRow:
    with registry.tables.write() as write:
        return registry.sessions.create(write, {"TTL": ttl})


def test_a_session_ends_by_itself_and_its_lock_is_free() -> None:
    async def scenario() -> None:
        clock = Ahead()
        registry = registries.build(IDENTITY, clock=clock)
        expiry = Expiry(registry.tables, registry.sessions)
        expiry.start()
        one = create(registry)
        with registry.tables.write() as write:
            registry.sessions.locks.lock(write, "k", None, 0, one["ID"])
        clock.by += ALMOST
        two = create(registry)  # and the timer looks at the clock again
        assert await registry.tables.changed([session_topic(one["ID"])], 5)
        assert registry.sessions.all() == [two]
        assert "Session" not in registry.keys.under("")[0]
        expiry.stop()

    asyncio.run(scenario())


def test_one_that_was_renewed_stays() -> None:
    async def scenario() -> None:
        clock = Ahead()
        registry = registries.build(IDENTITY, clock=clock)
        expiry = Expiry(registry.tables, registry.sessions)
        expiry.start()
        kept, lost = create(registry), create(registry)
        clock.by += ALMOST
        registry.sessions.renew(kept)
        create(registry)
        assert await registry.tables.changed([session_topic(lost["ID"])], 5)
        assert registry.sessions.exists(kept["ID"])
        expiry.stop()

    asyncio.run(scenario())


def test_on_a_full_disk_it_tries_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        clock, store = Ahead(), Store(tmp_path / "registry.db")
        registry = registries.build(IDENTITY, store, clock)
        one = create(registry)
        save, failed = store.save, asyncio.Event()

        def full(index: int, changes: object) -> None:
            failed.set()
            raise StoreError("the disk is full")

        monkeypatch.setattr(store, "save", full)
        clock.by += 11
        expiry = Expiry(registry.tables, registry.sessions)
        expiry.start()
        await asyncio.wait_for(failed.wait(), 5)
        await asyncio.sleep(0)
        assert registry.sessions.exists(one["ID"])
        monkeypatch.setattr(store, "save", save)
        clock.by += 1
        registry.sessions.deadlines.moved()
        assert await registry.tables.changed([session_topic(one["ID"])], 5)
        expiry.stop()
        store.close()

    asyncio.run(scenario())
