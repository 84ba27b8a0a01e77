"""When checks are run and what becomes of what they find: by a clock that is moved by hand."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from sampan.registry import registry as registries
from sampan.registry.checking.checking import Checking
from sampan.registry.checking.clock import ManualClock
from sampan.registry.checking.outcome import Outcome, critical, passing
from sampan.registry.checking.thresholds import Thresholds
from sampan.registry.registry import Registry
from sampan.registry.rows import CheckRow, DefinitionRow, Status
from sampan.registry.store import Store, StoreError

from .told import IDENTITY, service

NODE = IDENTITY.node


class Services:
    """What probes find, and how often each was looked at."""

    def __init__(self) -> None:
        self.found: dict[str, Outcome] = {}
        self.looks: Counter[str] = Counter()

    async def probe(self, definition: DefinitionRow) -> Outcome:
        self.looks[definition["HTTP"]] += 1
        return self.found[definition["HTTP"]]


class World:
    """A registry whose checks are run by hand: `after` lets time pass, and what is due then happen."""

    def __init__(self, store: Store | None = None) -> None:
        self.registry: Registry = registries.build(IDENTITY, store)
        self.clock = ManualClock()
        self.services = Services()
        catalog, tables = self.registry.catalog, self.registry.tables
        self.checking = Checking(catalog, tables, self.clock, self.services.probe, random.Random(1))
        self.checking.start()

    async def after(self, seconds: float = 0.0) -> None:
        """In steps, since what a probe finds is what the next timer is set by."""
        end = self.clock.now() + seconds
        while True:
            self.clock.advance(min(0.5, end - self.clock.now()))
            await self.checking.idle()
            if self.clock.now() >= end:
                break
        self.clock.advance()

    def register(self, check_id: str, *, service_id: str = "", status: Status = "critical", **definition: Any) -> None:
        with self.registry.tables.write() as write:
            if service_id:
                self.registry.catalog.register_service(write, NODE, service(Service=service_id))
            self.registry.catalog.register_check(
                write,
                NODE,
                check_id,
                name=check_id,
                status=status,
                service_id=service_id,
                definition=definition,  # type: ignore[arg-type]
            )

    def report(self, check_id: str, status: Status, output: str = "") -> None:
        with self.registry.tables.write() as write:
            self.registry.catalog.report(write, check_id, status, output)

    def set(self, check_id: str, status: Status) -> None:
        with self.registry.tables.write() as write:
            self.registry.catalog.set_check_status(write, NODE, check_id, status, f"set {status}")

    def drop(self, check_id: str) -> None:
        with self.registry.tables.write() as write:
            self.registry.catalog.deregister_check(write, NODE, check_id)

    def check(self, check_id: str) -> CheckRow:
        found = self.registry.catalog.check(NODE, check_id)
        assert found is not None
        return found

    def said(self, check_id: str) -> tuple[str, str]:
        check = self.check(check_id)
        return check["Status"], check["Output"]

    def newest(self, check_id: str) -> str | None:
        return self.registry.catalog.newer_outputs.get(check_id)


Test = Callable[..., Coroutine[Any, Any, None]]


def run(test: Test) -> Callable[..., None]:
    @wraps(test)
    def running(*arguments: Any, **named: Any) -> None:
        asyncio.run(test(*arguments, **named))

    return running


@run
async def test_a_probe_is_run_once_an_interval_and_its_first_time_somewhere_in_it() -> None:
    world = World()
    for at in range(100):
        world.services.found[f"http://{at}"] = passing("ok")
        world.register(f"c{at}", HTTP=f"http://{at}", Interval=10.0)
    await world.after(0.0)
    assert sum(world.services.looks.values()) == 0
    await world.after(2.5)
    assert 10 < len(world.services.looks) < 45
    await world.after(7.5)
    assert len(world.services.looks) == 100
    await world.after(10.0)
    # Half a second at most is lost between a timer and the hand that moves the clock.
    assert set(world.services.looks.values()) <= {2, 3}
    assert world.said("c7") == ("passing", "ok")


@run
async def test_an_interval_is_a_second_at_least() -> None:
    world = World()
    world.services.found["a"] = passing("ok")
    world.register("c", HTTP="a", Interval=0.001)
    await world.after(10.0)
    assert 9 <= world.services.looks["a"] <= 11


@run
async def test_a_check_that_goes_is_not_run_and_one_that_changes_is_run_anew() -> None:
    world = World()
    world.services.found |= {"a": passing("a"), "b": critical("b")}
    world.register("c", HTTP="a", Interval=1.0)
    await world.after(3.0)
    world.register("c", HTTP="b", Interval=1.0, status="passing")
    looked = world.services.looks["a"]
    await world.after(3.0)
    assert world.services.looks["a"] == looked
    assert world.said("c") == ("critical", "b")
    world.drop("c")
    looked = world.services.looks["b"]
    await world.after(5.0)
    assert world.services.looks["b"] == looked


@run
async def test_a_finding_is_the_catalogues_at_once_and_the_same_again_writes_nothing(tmp_path: Path) -> None:
    world = World(Store(tmp_path / "registry.db"))
    world.services.found["a"] = passing("ok")
    world.register("c", service_id="web", HTTP="a", Interval=1.0)
    await world.after(2.0)
    index = world.registry.tables.index
    await world.after(30.0)
    assert world.registry.tables.index == index
    world.services.found["a"] = critical("down")
    await world.after(1.5)
    assert world.said("c") == ("critical", "down")
    assert world.registry.tables.index_of(("service", "web")) == world.registry.tables.index == index + 1


@run
async def test_a_new_output_alone_waits_and_the_agent_has_it_at_once() -> None:
    world = World()
    world.services.found["a"] = passing("1")
    world.register("c", HTTP="a", Interval=1.0)
    await world.after(2.0)
    world.services.found["a"] = passing("2")
    await world.after(2.0)
    assert world.said("c") == ("passing", "1")
    assert world.newest("c") == "2"
    index = world.registry.tables.index
    world.services.found["a"] = passing("3")
    await world.after(450.0)
    assert world.said("c") == ("passing", "3")
    assert world.newest("c") is None
    assert world.registry.tables.index == index + 1


@run
async def test_a_check_that_raises_is_critical_and_runs_on() -> None:
    world = World()
    world.register("c", status="passing", HTTP="unknown", Interval=1.0)
    await world.after(3.0)
    assert world.said("c")[0] == "critical"
    assert world.services.looks["unknown"] >= 2


@run
async def test_what_the_disk_refuses_is_tried_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "registry.db")
    world = World(store)
    world.services.found["a"] = passing("ok")
    world.register("http", HTTP="a", Interval=1.0)
    world.register("ttl", status="passing", TTL=2.0)
    await world.after()
    save, store.save = store.save, _refuse  # type: ignore[method-assign]
    await world.after(5.0)
    assert world.said("http") == ("critical", "")
    store.save = save  # type: ignore[method-assign]
    await world.after(6.0)
    assert world.said("http") == ("passing", "ok")
    assert world.said("ttl") == ("critical", "TTL expired")


def _refuse(*_: object) -> None:
    raise StoreError("the disk is full")


@run
async def test_a_ttl_expires_unless_it_is_reported() -> None:
    world = World()
    world.register("c", status="passing", TTL=10.0)
    for _ in range(5):
        await world.after(9.0)
        world.report("c", "passing", "all is well")
    await world.after(9.5)
    assert world.said("c")[0] == "passing"
    assert world.newest("c") == "all is well"
    await world.after(1.0)
    assert world.said("c") == ("critical", "TTL expired (last output before timeout follows): all is well")
    world.report("c", "warning", "so so")
    await world.after(9.0)
    assert world.said("c") == ("warning", "so so")
    await world.after(1.0)
    assert world.said("c")[0] == "critical"


@run
async def test_a_report_that_only_says_something_new_is_told_later_and_cut() -> None:
    world = World()
    world.register("c", TTL=1e6)
    world.report("c", "passing", "0")
    index = world.registry.tables.index
    for at in range(1, 20):
        world.report("c", "passing", str(at))
        await world.after(1.0)
        assert (world.said("c"), world.newest("c")) == (("passing", "0"), str(at))
    assert world.registry.tables.index == index
    await world.after(450.0)
    assert (world.said("c"), world.newest("c")) == (("passing", "19"), None)
    world.report("c", "warning", "é" * 3000)
    assert world.said("c") == ("warning", "é" * 2048 + " ... (captured 4096 of 6000 bytes)")
    assert world.newest("c") is None


@run
async def test_a_ttl_that_is_registered_again_as_it_was_starts_anew() -> None:
    world = World()
    world.register("c", status="passing", TTL=10.0)
    await world.after(8.0)
    world.register("c", status="passing", TTL=10.0)
    await world.after(8.0)
    assert world.said("c")[0] == "passing"
    await world.after(3.0)
    assert world.said("c") == ("critical", "TTL expired")


@run
async def test_after_a_restart_a_ttl_has_its_status_and_starts_anew(tmp_path: Path) -> None:
    store = Store(tmp_path / "registry.db")
    world = World(store)
    world.register("c", TTL=10.0)
    world.report("c", "passing", "fine")
    await world.after(8.0)
    await world.checking.close()
    store.close()
    again = World(Store(tmp_path / "registry.db"))
    await again.after(8.0)
    assert again.said("c") == ("passing", "fine")
    await again.after(2.0)
    assert again.said("c") == ("critical", "TTL expired")


@pytest.mark.parametrize(
    ("definition", "found", "told"),
    [
        ({}, "pcpw", "pcpw"),
        ({"SuccessBeforePassing": 2}, "pcpp", "pc.p"),
        ({"SuccessBeforePassing": 2}, "pcww", "pc.w"),
        ({"FailuresBeforeCritical": 3}, "cpccpccc", "cp..p..c"),
        ({"SuccessBeforePassing": 2, "FailuresBeforeCritical": 2}, "ccpcppcpcc", "cc...p...c"),
        ({"FailuresBeforeCritical": 3, "FailuresBeforeWarning": 2}, "pccc", "p.wc"),
    ],
)
def test_thresholds(definition: DefinitionRow, found: str, told: str) -> None:
    statuses: dict[str, Status] = {"p": "passing", "w": "warning", "c": "critical"}
    thresholds = Thresholds(definition)
    assert "".join((thresholds.counted(statuses[one]) or ".")[0] for one in found) == told


@run
async def test_a_service_that_is_critical_for_too_long_goes_with_its_checks() -> None:
    world = World()
    world.services.found["a"] = critical("down")
    world.register("c", service_id="web", HTTP="a", Interval=1.0, DeregisterCriticalServiceAfter=90.0)
    world.register("kept", service_id="db", HTTP="a", Interval=1.0)
    world.register("of-node", HTTP="a", Interval=1.0, DeregisterCriticalServiceAfter=60.0)
    await world.after(60.0)
    world.services.found["a"] = passing("up")
    await world.after(2.0)
    world.services.found["a"] = critical("down")
    await world.after(85.0)
    catalog = world.registry.catalog
    assert catalog.service(NODE, "web") is not None
    await world.after(40.0)
    assert catalog.service(NODE, "web") is None
    assert catalog.check(NODE, "c") is None
    assert catalog.service(NODE, "db") is not None
    assert catalog.check(NODE, "of-node") is not None
    looked = world.services.looks["a"]
    await world.after(10.0)
    assert world.services.looks["a"] < looked + 24


@run
async def test_a_service_is_kept_for_a_minute_at_least() -> None:
    world = World()
    world.register("c", service_id="web", TTL=1.0, DeregisterCriticalServiceAfter=5.0)
    await world.after(59.0)
    assert world.registry.catalog.service(NODE, "web") is not None
    await world.after(35.0)
    assert world.registry.catalog.service(NODE, "web") is None


@run
async def test_a_service_that_registers_again_is_not_taken_for_the_one_before() -> None:
    world = World()
    catalog = world.registry.catalog
    given = {"service_id": "web", "TTL": 1.0, "DeregisterCriticalServiceAfter": 60.0}
    world.register("c", **given)
    await world.after(59.0)
    with world.registry.tables.write() as write:
        catalog.deregister_service(write, NODE, "web")
    world.register("c", **given)
    await world.after(45.0)
    assert catalog.service(NODE, "web") is not None
    world.register("c", **given)
    await world.after(45.0)
    assert catalog.service(NODE, "web") is not None
    await world.after(60.0)
    assert catalog.service(NODE, "web") is None


@run
async def test_an_alias_is_as_well_as_its_service_and_its_node() -> None:
    world = World()
    world.register("web-1", service_id="web", status="passing", TTL=1e6)
    world.register("web-2", service_id="web", status="passing", TTL=1e6)
    world.register("alias", service_id="proxy", AliasService="web")
    await world.after()
    assert world.said("alias") == ("passing", "All checks passing.")
    world.set("web-1", "warning")
    await world.after()
    assert world.said("alias") == ("warning", 'Aliased check "web-1" failing: set warning')
    world.set("web-2", "critical")
    await world.after()
    assert world.said("alias") == ("critical", 'Aliased check "web-2" failing: set critical')
    world.set("web-1", "passing")
    world.set("web-2", "passing")
    await world.after()
    assert world.said("alias")[0] == "passing"
    world.register("disk", status="critical", TTL=1e6)
    await world.after()
    assert world.said("alias") == ("critical", 'Aliased check "disk" failing: ')
    world.drop("disk")
    await world.after()
    assert world.said("alias")[0] == "passing"


@run
async def test_an_alias_of_nothing_is_critical_until_it_is_there() -> None:
    world = World()
    world.register("alias", service_id="proxy", AliasService="web")
    await world.after()
    assert world.said("alias")[0] == "critical"
    assert world.newest("alias") == "Service web could not be found on node "
    with world.registry.tables.write() as write:
        world.registry.catalog.register_service(write, NODE, service(Service="web"))
    await world.after()
    assert world.said("alias") == ("passing", "No checks found.")
    with world.registry.tables.write() as write:
        world.registry.catalog.deregister_service(write, NODE, "web")
    await world.after()
    assert world.said("alias")[0] == "critical"


@run
async def test_aliases_of_one_another_come_to_rest() -> None:
    world = World()
    world.register("a", service_id="one", status="passing", AliasService="two")
    world.register("b", service_id="two", status="passing", AliasService="one")
    world.register("c", service_id="two", status="passing", TTL=1e6)
    await world.after()
    world.set("c", "critical")
    await world.after(5.0)
    index = world.registry.tables.index
    assert world.said("a")[0] == world.said("b")[0] == "critical"
    await world.after(60.0)
    assert world.registry.tables.index == index
    assert len(world.said("a")[1]) < 200


@run
async def test_an_alias_may_be_of_a_node() -> None:
    world = World()
    with world.registry.tables.write() as write:
        world.registry.catalog.register_node(write, "other", "10.0.0.7")
        world.registry.catalog.register_check(write, "other", "ping", name="ping", status="passing")
    world.register("alias", AliasNode="other")
    await world.after()
    assert world.said("alias") == ("passing", "All checks passing.")
    with world.registry.tables.write() as write:
        world.registry.catalog.set_check_status(write, "other", "ping", "critical", "gone")
    await world.after()
    assert world.said("alias") == ("critical", 'Aliased check "ping" failing: gone')


@run
async def test_nothing_is_run_after_the_end() -> None:
    world = World()
    world.services.found["a"] = passing("ok")
    world.register("c", HTTP="a", Interval=1.0)
    world.register("t", status="passing", TTL=1.0)
    await world.after()
    await world.checking.close()
    await world.after(10.0)
    assert not world.services.looks
    assert world.said("t")[0] == "passing"
