"""Memory of control plane and Envoy over many changes, each confirmed before the next is made."""

from __future__ import annotations

import time
from dataclasses import dataclass

from bench.changes import World, world
from bench.processes import Stage, resident_mib
from bench.report import Report, Target
from bench.settings import Settings

FIRST = 100


@dataclass(frozen=True, slots=True)
class Look:
    """MiB of RSS after so many changes."""

    changes: int
    control_plane: float
    envoy: float


def run(settings: Settings, stage: Stage) -> Report:
    last = settings.choose(changes=(10_000, 400))
    marks = sorted({FIRST, *(last * share // 5 for share in range(1, 6))})
    with world(stage) as town:
        began = time.monotonic()
        looks = _looks(town, marks, settings)
        took = time.monotonic() - began
    first, end = looks[0], looks[-1]
    report = Report(
        "memory",
        f"Memory over {last:,} mixed changes (as in `changes`), each confirmed by Envoy before the next",
        ("changes", "control plane MiB", "Envoy MiB"),
        rows=[(one.changes, round(one.control_plane, 1), round(one.envoy, 1)) for one in looks],
        targets=[
            Target(f"control plane, to that after {FIRST}", end.control_plane / first.control_plane, 1.1, "×"),
            Target(f"Envoy, to that after {FIRST}", end.envoy / first.envoy, 1.1, "×"),
        ],
        notes=[
            f"RSS, the smallest of five looks within a second. {took / last * 1e3:.0f} ms for each change. "
            "Services and routes that come and go have new names each time.",
        ],
    )
    report.data = {"looks": [[one.changes, round(one.control_plane, 2), round(one.envoy, 2)] for one in looks]}
    return report


def _looks(town: World, marks: list[int], settings: Settings) -> list[Look]:
    found: list[Look] = []
    for number in range(1, marks[-1] + 1):
        began = time.monotonic()
        town.mixed.change()
        town.acks.after(began)
        if number in marks:
            found.append(_look(town, number))
            settings.tell(f"{number} changes: {found[-1].control_plane:.0f} and {found[-1].envoy:.0f} MiB")
    return found


def _look(town: World, changes: int) -> Look:
    """The smallest of some looks: the largest depends on the moment."""
    town.acks.quiet(0.5)
    control, envoys = town.running.control_plane(), town.running.envoys()
    pairs = []
    for _ in range(5):
        pairs.append((resident_mib(control), sum(map(resident_mib, envoys))))
        time.sleep(0.2)
    return Look(changes, min(one for one, _ in pairs), min(other for _, other in pairs))
