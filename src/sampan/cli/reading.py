"""Documents read once and resolved, offline: what `check` and `compile` are about. Loads no protobufs and no gRPC."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from sampan.cli.problem import USAGE, UserError
from sampan.documents.kinds.built_in import BUILT_IN
from sampan.documents.locate import located
from sampan.model.diagnostic import Diagnostic
from sampan.model.policy import PolicyKind
from sampan.model.snapshot import Snapshot
from sampan.policies import document_kinds, look
from sampan.resolve import Memo, Resolution, index_of, resolve
from sampan.sources.files.watch import read_once
from sampan.sources.merge import merge, start


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
def read(paths: Sequence[str]) -> Reading:
    """Files and folders. Raises UserError where there is nothing to read."""
    if not all(paths):
        raise UserError("a path is empty", "name files or folders", exit_code=USAGE)
    found = look()
    kinds = BUILT_IN.with_kinds(document_kinds(found.kinds))
    records = read_once(paths, kinds)
    if not records.changed and records.health.ok:
        raise UserError(
            f"there are no documents in {', '.join(paths)}", "documents are files ending in .yaml, .yml or .json"
        )
    merged = merge(start(Snapshot(index_of), kinds), [records])
    snapshot = merged.snapshot
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    resolution = resolve(snapshot, found.kinds, Memo(), now=now)
    resolved = located(resolution.diagnostics, snapshot.objects, merged.places)
    mistakes = sorted((*found.diagnostics, *merged.diagnostics, *resolved), key=lambda item: item.sort_key)
    return Reading(snapshot, found.kinds, resolution, tuple(mistakes), len(records.changed))
