"""`sampan up` to the first 200: interpreter, documents, control plane, Envoy and its first configuration; and from the
death of that Envoy to the next 200."""

from __future__ import annotations

import os
import shutil
import signal
import time
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
    """Seconds; `cpu` of everything that `sampan up` started, until the first 200; `back` from kill -9 of Envoy on."""

    wall: float
    cpu: float
    back: float


# A killed Envoy is to serve again within this, whatever it carries.
_BACK_LIMIT = 1.0


def run(settings: Settings, stage: Stage) -> Report:
    upstream = contenders.upstream(stage, None).http1
    report = Report(
        "start",
        "`sampan up` to the first 200, from nothing (an empty state folder each time)",
        ("case", "trials", "median s", "min s", "max s", "CPU median s", "after kill -9 of Envoy, median s", "max s"),
    )
    data: dict[str, Any] = {}
    for case in filter(lambda case: settings.wants(case.key), CASES):
        trials = [_trial(stage, case, upstream) for _ in range(settings.choose(trials=case.trials))]
        walls = [one.wall for one in trials]
        cpu, backs = median(one.cpu for one in trials), [one.back for one in trials]
        seconds = (median(walls), min(walls), max(walls), cpu, median(backs), max(backs))
        report.rows.append((case.title, len(trials), *(round(value, 2) for value in seconds)))
        report.targets.append(Target(f"{case.title}, median", median(walls), case.limit, "s"))
        report.targets.append(Target(f"{case.title}, Envoy killed, median", median(backs), _BACK_LIMIT, "s"))
        data[case.key] = {
            "wall_s": [round(one.wall, 3) for one in trials],
            "cpu_s": [one.cpu for one in trials],
            "back_s": backs,
        }
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
    back = _killed(running, listen, town.path(last), town.hostname(last))
    running.stop()
    return Trial(wall, cpu, back)


def _killed(running: Sampan, listen: int, path: str, host: str) -> float:
    """Seconds from kill -9 of the Envoy to the next 200. Its port closes with it, so no answer is the old one's."""
    (envoy,) = running.envoys()
    os.kill(envoy, signal.SIGKILL)
    begin = time.monotonic()
    while os.path.exists(f"/proc/{envoy}/exe"):
        time.sleep(0.0005)
    running.wait_for(listen, path, host)
    return time.monotonic() - begin
