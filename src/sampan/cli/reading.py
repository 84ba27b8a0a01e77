"""Documents read once and resolved, offline: what `check` and `compile` are about. Loads no protobufs and no gRPC."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sampan.cli.problem import USAGE, UserError
from sampan.daemon.world import World
from sampan.documents.kinds.built_in import BUILT_IN
from sampan.documents.locate import located
from sampan.model import codes
from sampan.model.diagnostic import Diagnostic
from sampan.model.names import CONSUL
from sampan.model.policy import PolicyKind
from sampan.model.snapshot import Snapshot
from sampan.policies import document_kinds, look
from sampan.resolve import Resolution
from sampan.sources.files.watch import read_once
from sampan.sources.source import Records


@dataclass(frozen=True, slots=True)
class Reading:
    """What the documents say and mean. `diagnostics` are all mistakes, each at its field, by file and line."""

    snapshot: Snapshot
    policies: tuple[PolicyKind, ...]
    resolution: Resolution
    diagnostics: tuple[Diagnostic, ...]
    files: int


@contextmanager
def uncollected() -> Iterator[None]:
    """What is read holds no cycles and is needed to the end; looking for some takes a sixth of `check`'s time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@uncollected()
def read(paths: Sequence[str], registered: Sequence[str] = ()) -> Reading:
    """Files and folders. `registered`: names of services that a registry has. Raises UserError where there is nothing
    to read."""
    if not all(paths):
        raise UserError("a path is empty", "name files or folders", exit_code=USAGE)
    found = look()
    kinds = BUILT_IN.with_kinds(document_kinds(found.kinds))
    records = read_once(paths, kinds)
    if not records.changed and records.health.ok:
        raise UserError(
            f"there are no documents in {', '.join(paths)}", "documents are files ending in .yaml, .yml or .json"
        )
    world = World(kinds, found.kinds)
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    world.advance([records, _registered(registered)], now)
    resolved = located(map(_offline, world.diagnostics), world.snapshot.objects, world.merged.places)
    mistakes = sorted((*found.diagnostics, *resolved), key=lambda item: item.sort_key)
    return Reading(world.snapshot, found.kinds, world.resolution, tuple(mistakes), len(records.changed))


def _registered(names: Sequence[str]) -> Records:
    """As the registry's source would say of services that have no instance at the moment."""
    if not names:
        return Records(CONSUL)
    from sampan.sources.consul.convert import Key, Setting, registered

    return Records(CONSUL, {name: registered(Key("", name), [], Setting()).loaded() for name in names})


def _offline(item: Diagnostic) -> Diagnostic:
    """What a registry has cannot be known here."""
    if item.code is not codes.NOT_REGISTERED:
        return item
    return replace(item, hint=f"{item.hint}; if a registry will have it: --registered NAME")
