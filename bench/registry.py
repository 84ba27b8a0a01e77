"""The embedded registry beside a real Consul, in one run: registrations, waking of waiters, memory."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from bench import raw, registries
from bench.figures import Spread
from bench.processes import Stage
from bench.registries import Registry, registration
from bench.report import Report, Target
from bench.settings import Settings

WAITERS = 1000
WIDTH = 16
SERVICES = 2000
INSTANCES = 10
HOT = "hot"


@dataclass(slots=True)
class Figures:
    """Of one registry, a value for each round."""

    per_second: list[float] = field(default_factory=list)
    write_us: list[float] = field(default_factory=list)
    last_woken_ms: list[float] = field(default_factory=list)
    woken_ms: list[float] = field(default_factory=list)
    wake_us: list[float] = field(default_factory=list)
    idle_mib: float = 0.0
    waiting_mib: float = 0.0
    full_mib: float = 0.0


def run(settings: Settings, stage: Stage) -> Report:
    rounds = settings.choose(rounds=(9, 2))
    each = settings.choose(registrations=(1000, 200))
    report = Report(
        "registry",
        f"Registrations, and {WAITERS:,} blocking queries woken by one change",
        (
            *("registry", "registrations/s", "CPU us each", "woken after p50 ms", "max ms", "CPU us a waiter"),
            *("MiB idle", f"with {WAITERS:,} waiters", "with instances"),
        ),
    )
    contenders = registries.both(stage)
    figures = {one.name: Figures(idle_mib=one.resident_mib()) for one in contenders}
    if settings.wants("writes"):
        for number in range(rounds):
            for one in contenders:
                _write(one, figures[one.name], number, each)
            settings.tell(f"registrations: round {number + 1} of {rounds}")
    if settings.wants("wakes"):
        for one in contenders:
            _wake(one, figures[one.name], rounds)
        settings.tell("waiters: done")
    if settings.wants("memory"):
        services = settings.choose(services=(SERVICES, 100))
        for one in contenders:
            raw.closed_loop(one.port, list(_everything(services)), WIDTH)
            figures[one.name].full_mib = one.resident_mib()
        report.notes.append(f"Memory with {services * INSTANCES:,} instances, each with a check.")
        settings.tell("memory: done")
    _fill(report, contenders, figures)
    return report


def _write(one: Registry, figures: Figures, number: int, count: int) -> None:
    """New instances of 100 services, each with a check; then they go again, which is not timed."""
    items = [registration(f"svc-{index % 100}", number * count + index, 8000) for index in range(count)]
    puts = [raw.request("PUT", "/v1/agent/service/register", item) for item in items]
    before = one.cpu_seconds()
    took = raw.closed_loop(one.port, puts, WIDTH)
    figures.write_us.append((one.cpu_seconds() - before) / count * 1e6)
    figures.per_second.append(count / took)
    gone = [raw.request("PUT", f"/v1/agent/service/deregister/{item['ID']}") for item in items]
    raw.closed_loop(one.port, gone, WIDTH)


def _wake(one: Registry, figures: Figures, rounds: int) -> None:
    """All wait for one service; its check turns, and all are answered."""
    for number in range(INSTANCES):
        one.call("PUT", "/v1/agent/service/register", registration(HOT, number, 8000 + number))
    with raw.connections(one.port, WAITERS) as made:
        for number in range(rounds):
            made[0].sendall(raw.request("GET", f"/v1/health/service/{HOT}"))
            index = raw.answer(made[0]).lower().partition(b"x-consul-index:")[2].partition(b"\r\n")[0].strip().decode()
            wait = raw.request("GET", f"/v1/health/service/{HOT}?index={index}&wait=120s")
            for connection in made:
                connection.sendall(wait)
            time.sleep(0.5)  # until all wait: what is measured begins with the change
            if not number:
                figures.waiting_mib = one.resident_mib()
            before, begin = one.cpu_seconds(), time.monotonic()
            verb = "warn" if number % 2 == 0 else "pass"
            one.call("PUT", f"/v1/agent/check/{verb}/service:{HOT}-0")
            times = raw.all_answered(made, begin)
            figures.wake_us.append((one.cpu_seconds() - before) / WAITERS * 1e6)
            figures.last_woken_ms.append(max(times) * 1e3)
            figures.woken_ms.extend(value * 1e3 for value in times)


def _everything(services: int) -> Iterator[bytes]:
    for service in range(services):
        for number in range(INSTANCES):
            item = registration(f"service-{service}", number, 10000 + number)
            yield raw.request("PUT", "/v1/agent/service/register", item)


def _fill(report: Report, contenders: Sequence[Registry], figures: dict[str, Figures]) -> None:
    for one in contenders:
        own = figures[one.name]
        woken = Spread.of(own.woken_ms)
        values = (
            *(_middle(own.per_second), _middle(own.write_us), woken.p50, woken.maximum, _middle(own.wake_us)),
            *(own.idle_mib, own.waiting_mib, own.full_mib),
        )
        report.rows.append((one.name, *(round(value, 1) for value in values)))
        report.data[one.name] = {
            "per_second": own.per_second,
            "write_us": own.write_us,
            "last_woken_ms": own.last_woken_ms,
            "woken_ms": woken.json(),
            "wake_us": own.wake_us,
            "mib": [own.idle_mib, own.waiting_mib, own.full_mib],
        }
    report.targets.append(
        Target(
            "all waiters woken, the last in the slowest round",
            max(figures[contenders[0].name].last_woken_ms, default=0),
            1000,
            "ms",
        )
    )
    report.notes += [
        f"{WIDTH} connections in a closed loop; each registration has a TTL check. Consul runs as `agent -dev` (state "
        "in memory, no fsync), its connection limit raised; Sampan's writes each registration to SQLite first.",
        f"Waiters: {WAITERS:,} connections that wait for one service of {INSTANCES} instances; one check turns; from "
        "the call to each answer, with the asker on the same two cores.",
    ]


def _middle(values: Sequence[float]) -> float:
    return median(values) if values else float("nan")
