"""A golden case: documents that a user could have written, and all that comes of them.

`NAME.in.yaml` under `tests/golden/cases/<area>/` or in a policy's `testdata/`, its outcome beside it in
`NAME.out.yaml`. A case called `bad-…` must have an error, any other none. A first line `# beside: web shop` puts the
documents of `tests/golden/beside/web.yaml` and `shop.yaml` beside it. `NAME.registered.json` holds what is registered:
by name (`dc2/NAME` in another datacentre) what Consul answers to `/v1/health/service/NAME`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sampan.policies
from sampan.compile.endpoints import endpoint_row
from sampan.compile.engine import compile_plan
from sampan.compile.memo import Memo as CompileMemo
from sampan.compile.settings import Settings
from sampan.daemon.world import World
from sampan.documents.kinds.built_in import BUILT_IN
from sampan.documents.load import load
from sampan.documents.locate import located
from sampan.envoy.table import Table
from sampan.model.diagnostic import Diagnostic, has_errors
from sampan.model.plan import Plan
from sampan.model.snapshot import Snapshot
from sampan.resolve import Resolution, endpoint_group
from sampan.sources.consul.convert import Key, Setting, registered
from sampan.sources.source import Records

NOW = "2026-06-01T12:00:00Z"
"""When every case plays: certificates in the cases are made around it."""

POLICIES = sampan.policies.discover()
KINDS = BUILT_IN.with_kinds(sampan.policies.document_kinds(POLICIES))
BESIDE = Path(__file__).parent / "beside"
# Of the source tree: an installed package has no test data.
FOLDERS = (Path(__file__).parent / "cases", Path(__file__).parents[2] / "src" / "sampan" / "policies")


@dataclass(frozen=True)
class Case:
    source: Path

    @property
    def name(self) -> str:
        return f"{self.source.parent.parent.name if self.is_policy else self.source.parent.name}/{self.short}"

    @property
    def short(self) -> str:
        return self.source.name.removesuffix(".in.yaml")

    @property
    def golden(self) -> Path:
        return self.source.with_name(f"{self.short}.out.yaml")

    @property
    def registered(self) -> Path:
        """Need not be there."""
        return self.source.with_name(f"{self.short}.registered.json")

    @property
    def beside(self) -> tuple[Path, ...]:
        """Files with more documents."""
        first = self.source.read_bytes().partition(b"\n")[0].decode(errors="replace")
        names = first.removeprefix("# beside:").split() if first.startswith("# beside:") else []
        return tuple(BESIDE / f"{name}.yaml" for name in names)

    @property
    def is_policy(self) -> bool:
        return self.source.parent.name == "testdata"

    @property
    def must_fail(self) -> bool:
        return self.short.startswith("bad-")


@dataclass(frozen=True)
class Outcome:
    """Everything that comes of a case. `tables` by the proxy's name."""

    snapshot: Snapshot
    resolution: Resolution
    diagnostics: tuple[Diagnostic, ...]
    tables: Mapping[str, Table]

    @property
    def has_errors(self) -> bool:
        return has_errors(self.diagnostics)


def cases() -> tuple[Case, ...]:
    """Every case, by name."""
    return tuple(sorted(_found(), key=lambda case: case.name))


def _found() -> Iterator[Case]:
    for folder in FOLDERS:
        for source in folder.rglob("*.in.yaml"):
            yield Case(source)


def outcome(case: Case, settings: Settings | None = None) -> Outcome:
    files = {path.name: load(path.read_bytes(), path.name, KINDS) for path in (case.source, *case.beside)}
    records = [Records("files", files, whole=True)]
    if case.registered.exists():
        records.append(_registered(json.loads(case.registered.read_text())))
    world = World(KINDS, POLICIES)
    world.advance(records, NOW)
    snapshot, resolution = world.snapshot, world.resolution
    found = located(world.diagnostics, snapshot.objects, world.merged.places)
    tables = {view.proxy: _table(plan, snapshot, settings) for view, plan in resolution.plans.items()}
    return Outcome(snapshot, resolution, tuple(sorted(found, key=lambda item: item.sort_key)), tables)


def _registered(answers: Mapping[str, Any]) -> Records:
    setting = Setting(datacenter="dc1")
    keys = {text: Key(*text.rpartition("/")[::2]) for text in answers}
    return Records("consul", {key.text: registered(key, answers[text], setting).loaded() for text, key in keys.items()})


def _table(plan: Plan, snapshot: Snapshot, settings: Settings | None) -> Table:
    compiled = compile_plan(plan, POLICIES, CompileMemo(), settings=settings)
    groups = {up.group: up for up in plan.upstreams.values() if up.discovery == "endpoints"}
    return compiled.table.with_rows(endpoint_row(endpoint_group(snapshot, upstream)) for upstream in groups.values())
