"""CPU of the pure core: documents to objects, objects to Plans (resolve), Plans to Envoy's resources (compile)."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Any, TypeVar

from bench.documents import Town
from bench.processes import Stage
from bench.report import Report, Target
from bench.settings import Settings
from sampan import policies, resolve
from sampan.compile.endpoints import endpoint_row
from sampan.compile.engine import Compiled, compile_plan
from sampan.compile.memo import Memo as CompileMemo
from sampan.daemon import garbage
from sampan.documents.kinds.built_in import BUILT_IN
from sampan.documents.load import Loaded, load
from sampan.model.names import CORE, Ref
from sampan.model.plan import Plan
from sampan.model.policy import PolicyKind
from sampan.model.snapshot import Snapshot
from sampan.sources.merge import Merged, merge, start
from sampan.sources.source import Records

NOW = "2026-01-01T00:00:00Z"
T = TypeVar("T")


@dataclass(slots=True)
class Core:
    """The rooms with their memos, as the daemon holds them."""

    kinds: tuple[PolicyKind, ...] = field(default_factory=policies.discover)
    resolving: resolve.Memo = field(default_factory=resolve.Memo)
    compiling: CompileMemo = field(default_factory=CompileMemo)

    def resolved(self, snapshot: Snapshot) -> Plan:
        (plan,) = resolve.resolve(snapshot, self.kinds, self.resolving, now=NOW).plans.values()
        return plan

    def compiled(self, plan: Plan) -> Compiled:
        return compile_plan(plan, self.kinds, self.compiling)


@dataclass(slots=True)
class Spent:
    """Milliseconds of CPU, by step."""

    steps: dict[str, list[float]] = field(default_factory=dict)

    def on(self, step: str, work: Callable[[], T]) -> T:
        began = time.process_time()
        result = work()
        self.steps.setdefault(step, []).append((time.process_time() - began) * 1e3)
        return result

    def totals(self) -> list[float]:
        return [sum(values) for values in zip(*self.steps.values(), strict=True)]


def run(settings: Settings, stage: Stage) -> Report:
    report = Report(
        "compile",
        "CPU of resolving and compiling, one core, median of trials",
        ("what", "trials", "read ms", "resolve ms", "compile ms", "resolve + compile ms", "max ms"),
    )
    for routes, services in ((1000, 1000), (10_000, 1000)):
        if not settings.wants(str(routes)):
            continue
        _measure(report, Town(services, routes, 1, 80), settings)
    report.notes = ["Reading is YAML to objects with line numbers, and merging. Endpoints take their own road."]
    return report


def _measure(report: Report, town: Town, settings: Settings) -> None:
    """The collector as the control plane has it: off until all is there for the first time."""
    label = f"{town.services:,} services and {town.routes:,} routes"
    garbage.wait()
    texts = [town.gateway(), *map(town.service, range(town.services)), *map(town.route, range(town.routes))]
    whole = Spent()
    merged = whole.on("read", lambda: _merged(texts))
    spent = Spent()
    core = Core()
    for _ in range(settings.choose(trials=(9, 3))):
        core = Core()
        gc.collect()
        _full(core, merged.snapshot, spent)
    _row(report, label + ", whole", spent, read=whole.steps["read"][0])
    garbage.begin()
    one = Spent()
    last = merged
    for number in range(settings.choose(trials=(200, 20))):
        last = _one_route(core, last, town, number, one)
    _row(report, label + ", one changed route", one, read=median(one.steps.pop("read")))
    _endpoints(report, label, core, last.snapshot, settings)
    if town.routes == 1000:
        report.targets.append(Target(f"{label}: whole", median(spent.totals()), 150, "ms"))
        report.targets.append(Target(f"{label}: one changed route", median(one.totals()), 5, "ms"))


def _merged(texts: list[str]) -> Merged:
    files: dict[str, Loaded] = {
        f"{number}.yaml": load(text, f"{number}.yaml", BUILT_IN) for number, text in enumerate(texts)
    }
    mistakes = [mistake for loaded in files.values() for mistake in loaded.diagnostics]
    if mistakes:
        raise ValueError(f"the documents have mistakes: {mistakes[0].reason}")
    return merge(start(Snapshot(resolve.index_of), BUILT_IN), [Records("bench", files, whole=True)])


def _full(core: Core, snapshot: Snapshot, spent: Spent) -> None:
    plan = spent.on("resolve", lambda: core.resolved(snapshot))
    spent.on("compile", lambda: core.compiled(plan))
    spent.on("endpoints", lambda: _all_endpoints(plan, snapshot))


def _all_endpoints(plan: Plan, snapshot: Snapshot) -> int:
    return sum(len(endpoint_row(resolve.endpoint_group(snapshot, one)).body) for one in plan.upstreams.values())


def _one_route(core: Core, merged: Merged, town: Town, number: int, spent: Spent) -> Merged:
    which = (number * 37) % town.routes
    file = f"{1 + town.services + which}.yaml"
    text = town.route(which, header=f"v{number}")

    def read() -> Merged:
        return merge(merged, [Records("bench", {file: load(text, file, BUILT_IN)})])

    following = spent.on("read", read)
    plan = spent.on("resolve", lambda: core.resolved(following.snapshot))
    spent.on("compile", lambda: core.compiled(plan))
    return following


def _endpoints(report: Report, label: str, core: Core, snapshot: Snapshot, settings: Settings) -> None:
    """The row of one service whose endpoint changed."""
    plan = core.resolved(snapshot)
    upstream = next(one for one in plan.upstreams.values() if one.owner == Ref(CORE, "Service", "default", "service-0"))
    count = settings.choose(trials=(2000, 200))
    spent = Spent()
    spent.on("endpoint", lambda: [endpoint_row(resolve.endpoint_group(snapshot, upstream)) for _ in range(count)])
    each = spent.steps["endpoint"][0] / count
    report.rows.append((label + ", one endpoint", count, "-", round(each, 3), "-", round(each, 3), "-"))


def _row(report: Report, label: str, spent: Spent, read: float) -> None:
    steps: dict[str, Any] = {key: round(median(values), 2) for key, values in spent.steps.items() if key != "read"}
    totals = [sum(values) for values in zip(*(spent.steps[key] for key in steps), strict=True)]
    compiling = steps["compile"] + steps.get("endpoints", 0.0)
    row = (round(read, 2), steps["resolve"], round(compiling, 2), round(median(totals), 2), round(max(totals), 2))
    report.rows.append((label, len(totals), *row))
    report.data[label] = {"read_ms": round(read, 2), **steps, "total_ms": [round(value, 2) for value in totals]}
