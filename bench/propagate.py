"""From a source's event to Envoy's ACK, and to the first answer by the new configuration."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench import contenders, documents
from bench.acks import Acks
from bench.documents import Town
from bench.figures import Spread
from bench.probe import Probe
from bench.processes import Stage, free_ports
from bench.report import Report, Target
from bench.settings import Settings
from bench.up import Sampan

PAUSE = (0.10, 0.20)
"""Seconds between trials, by chance: so that no trial keeps step with a debounce or a poll."""


@dataclass(slots=True)
class Trials:
    """Milliseconds since the event: published by the control plane, confirmed by Envoy, answered by Envoy."""

    published: list[float] = field(default_factory=list)
    acked: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Change:
    """A file's new text (or the memory source's, without a file), and what an answer holds from then on."""

    file: str
    text: str
    answer: bytes


@dataclass(frozen=True, slots=True)
class Case:
    """`change` gives the n-th change; it concerns the first route. `count`: of trials, whole and quick."""

    key: str
    title: str
    limit: float
    count: tuple[int, int]
    town: Callable[[int, int], Town]
    apart: bool
    change: Callable[[Town, int], Change]


def _thousand(upstream: int, listen: int) -> Town:
    return Town(1000, 1000, upstream, listen)


def _ten_thousand(upstream: int, listen: int) -> Town:
    return Town(1000, 10_000, upstream, listen)


def _endpoint(town: Town, number: int) -> Change:
    """The endpoint of one service moves to the other upstream and back; its slice has a file of its own."""
    port, answer = (town.other, b"\r\n\r\nother") if number % 2 == 0 else (town.upstream, b"\r\n\r\nok")
    return Change("moving.yaml", documents.endpoint_slice("service-0", [port]), answer)


def _endpoint_by_hand(town: Town, number: int) -> Change:
    """The same, by the memory source."""
    return replace(_endpoint(town, number), file="")


def _route_apart(town: Town, number: int) -> Change:
    return Change("route-0.yaml", town.route(0, header=f"v{number}"), f"x-bench: v{number}\r\n".encode())


def _all_in_one(town: Town, number: int) -> Change:
    return Change("routes.yaml", town.all_routes(f"v{number}"), f"x-bench: v{number}\r\n".encode())


def _one_in_one(town: Town, number: int) -> Change:
    return Change("routes.yaml", town.all_routes({0: f"v{number}"}), f"x-bench: v{number}\r\n".encode())


CASES = (
    Case("endpoint", "an endpoint, in a file, among 1,000 services", 15, (1000, 30), _thousand, True, _endpoint),
    Case("memory", "an endpoint, by the memory source", 15, (1000, 30), _thousand, True, _endpoint_by_hand),
    Case("route", "one route in a file of its own, among 1,000", 100, (1000, 30), _thousand, True, _route_apart),
    Case("route-10000", "the same among 10,000", 250, (1000, 20), _ten_thousand, True, _route_apart),
    Case("file", "one file of 1,000 routes, all of them changed", 600, (1000, 10), _thousand, False, _all_in_one),
    Case("file-one", "one file of 1,000 routes, one of them changed", 600, (1000, 10), _thousand, False, _one_in_one),
)


def run(settings: Settings, stage: Stage) -> Report:
    report = Report(
        "propagate",
        "From a source's event to Envoy's ACK, and to the first answer by it",
        ("case", "to", "trials", "p50 ms", "p90 ms", "p99 ms", "max ms"),
    )
    upstream = contenders.upstream(stage, None)
    data: dict[str, Any] = {}
    for case in filter(lambda case: settings.wants(case.key), CASES):
        trials = _trials(stage, case, upstream, settings.choose(count=case.count), settings)
        spreads = {
            "published": Spread.of(trials.published),
            "ACK": Spread.of(trials.acked),
            "first answer": Spread.of(trials.answered),
        }
        for name, one in spreads.items():
            figures = (round(value, 1) for value in (one.p50, one.p90, one.p99, one.maximum))
            report.rows.append((case.title if name == "published" else "", name, one.count, *figures))
        report.targets.append(Target(f"{case.title}: to the ACK, p99", spreads["ACK"].p99, case.limit, "ms"))
        data[case.key] = {name: one.json() for name, one in spreads.items()}
    report.notes = [
        "The event is the write of the file (a new one, moved over the old one); the clock starts before it.",
        "Answers are asked for every ms over one connection. Between trials 100 to 200 ms pass, by chance.",
    ]
    report.data = data
    return report


def _trials(stage: Stage, case: Case, upstream: contenders.Upstream, count: int, settings: Settings) -> Trials:
    (listen,) = free_ports(1)
    town = replace(case.town(upstream.http1, listen), other=upstream.other)
    folder = stage.folder / "documents"
    shutil.rmtree(folder, ignore_errors=True)
    _write(town, folder, case)
    chance = random.Random(1)
    trials = Trials()
    with _running(stage, folder) as (running, acks):
        if case.key == "memory":
            acks.wait_for_inbox()
            acks.put(documents.endpoint_slice("service-0", [town.upstream]))
        running.wait_for(listen, town.path(0), town.hostname(0))
        acks.quiet(1.0)
        probe = Probe(listen, town.hostname(0), town.path(0))
        try:
            for number in range(count):
                time.sleep(chance.uniform(*PAUSE))
                acks.drain()
                change = case.change(town, number)
                began = time.monotonic()
                _make(change, folder, acks)
                answered = probe.until(change.answer)
                ack = acks.after(began)
                began = began if change.file else ack.put
                trials.published.append((ack.published - began) * 1e3)
                trials.acked.append((ack.settled - began) * 1e3)
                trials.answered.append((answered - began) * 1e3)
                if number % 100 == 99:
                    settings.tell(f"{case.title}: {number + 1} of {count}")
        finally:
            probe.close()
    return trials


def _make(change: Change, folder: Path, acks: Acks) -> None:
    if change.file:
        documents.put(folder / change.file, change.text)
    else:
        acks.put(change.text)


def _write(town: Town, folder: Path, case: Case) -> None:
    town.write(folder, apart=case.apart)
    if not case.apart:
        (folder / "all.yaml").unlink()
        documents.put(folder / "gateway.yaml", town.gateway())
        documents.put(folder / "services.yaml", town.all_services())
        documents.put(folder / "routes.yaml", town.all_routes())
    if case.change in (_endpoint, _endpoint_by_hand):  # the Service and its slice apart
        documents.put(folder / "service-0.yaml", documents.service("service-0"))
    if case.change is _endpoint:
        documents.put(folder / "moving.yaml", documents.endpoint_slice("service-0", [town.upstream]))


@contextmanager
def _running(stage: Stage, folder: Path) -> Iterator[tuple[Sampan, Acks]]:
    state = stage.folder / "state"
    shutil.rmtree(state, ignore_errors=True)
    acks = Acks(stage.folder / "acks")
    try:
        running = Sampan.observed(stage, folder, state, acks)
        yield running, acks
        running.stop()
    finally:
        acks.close()
