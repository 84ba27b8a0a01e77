"""`sampan up` to the first 200: interpreter, documents, control plane, Envoy and its first configuration."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench import contenders, documents
from bench.processes import Stage, cpu_seconds_with_dead, free_ports
from bench.report import Report, Target
from bench.settings import Settings
from bench.up import Sampan


@dataclass(frozen=True, slots=True)
class Case:
    """`apart`: a file for each object; else one file. The last route is the one that is asked."""

    key: str
    title: str
    services: int
    routes: int
    apart: bool
    limit: float
    trials: tuple[int, int]


CASES = (
    Case("small", "10 routes, one file", 10, 10, False, 1.0, (20, 3)),
    Case("large", "1,000 services and 1,000 routes, one file", 1000, 1000, False, 3.5, (10, 2)),
    Case("files", "1,000 services and 1,000 routes, 2,001 files", 1000, 1000, True, 3.5, (10, 2)),
)


@dataclass(frozen=True, slots=True)
class Trial:
    """Seconds; `cpu` of everything that `sampan up` started, until the first 200."""

    wall: float
    cpu: float


def run(settings: Settings, stage: Stage) -> Report:
    upstream = contenders.upstream(stage, None).http1
    report = Report(
        "start",
        "`sampan up` to the first 200, from nothing (an empty state folder each time)",
        ("case", "trials", "median s", "min s", "max s", "CPU median s"),
    )
    data: dict[str, Any] = {}
    for case in filter(lambda case: settings.wants(case.key), CASES):
        trials = [_trial(stage, case, upstream) for _ in range(settings.choose(trials=case.trials))]
        walls = [one.wall for one in trials]
        cpu = median(one.cpu for one in trials)
        report.rows.append(
            (case.title, len(trials), *(round(value, 2) for value in (median(walls), min(walls), max(walls), cpu)))
        )
        report.targets.append(Target(f"{case.title}, median", median(walls), case.limit, "s"))
        data[case.key] = {"wall_s": [round(one.wall, 3) for one in trials], "cpu_s": [one.cpu for one in trials]}
        settings.tell(f"{case.title}: done")
    report.notes = ["Wall time from exec to the whole answer; asked every 2 ms. CPU of all processes of `sampan up`."]
    report.data = data
    return report


def _trial(stage: Stage, case: Case, upstream: int) -> Trial:
    (listen,) = free_ports(1)
    folder, state = stage.folder / "documents", stage.folder / "state"
    for one in (folder, state):
        shutil.rmtree(one, ignore_errors=True)
    town = documents.Town(case.services, case.routes, upstream, listen)
    town.write(folder, apart=case.apart)
    running = Sampan.start(stage, folder, state)
    last = case.routes - 1
    wall = running.wait_for(listen, town.path(last), town.hostname(last), seconds=60)
    cpu = cpu_seconds_with_dead(running.process.pid)
    running.stop()
    return Trial(wall, cpu)
