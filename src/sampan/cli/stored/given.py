"""The documents that the user names with `-f`: files, folders, `-` for what comes in."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sampan.cli.problem import USAGE, UserError
from sampan.cli.reading import uncollected
from sampan.documents.kinds.built_in import BUILT_IN
from sampan.documents.kinds.kind_set import KindSet
from sampan.documents.load import Document, load
from sampan.model.diagnostic import Diagnostic
from sampan.model.snapshot import Snapshot
from sampan.policies import document_kinds, look
from sampan.resolve import index_of
from sampan.sources.files.convert import is_document_name
from sampan.sources.files.watch import read_once
from sampan.sources.merge import merge, start
from sampan.sources.source import Records

STDIN = "-"
STDIN_NAME = "stdin"


@dataclass(frozen=True, slots=True)
class Given:
    """Documents in the order in which they stand, with the files that they name read; and all mistakes."""

    documents: tuple[Document, ...]
    diagnostics: tuple[Diagnostic, ...]
    kinds: KindSet


def known_kinds() -> KindSet:
    """All that documents can be, plugins included."""
    return BUILT_IN.with_kinds(document_kinds(look().kinds))


@uncollected()
def read(paths: Sequence[str], recursive: bool) -> Given:
    """Raises UserError where there is nothing to read."""
    if not paths or not all(paths):
        raise UserError("there are no documents", "name files or folders with -f PATH, or - for stdin", exit_code=USAGE)
    kinds = known_kinds()
    files = [part for path in paths if path != STDIN for part in _within(path, recursive)]
    records = read_once(files, kinds) if files else Records("files", whole=True)
    if STDIN in paths:
        typed = load(sys.stdin.buffer.read(), STDIN_NAME, kinds)
        records = replace(records, changed={**records.changed, STDIN_NAME: typed})
    if not records.changed and records.health.ok:
        more = "" if recursive else "; -R looks into folders within folders"
        raise UserError(
            f"there are no documents in {', '.join(paths)}", f"documents are files ending in .yaml, .yml or .json{more}"
        )
    merged = merge(start(Snapshot(index_of), kinds), [records])
    documents = sorted(
        (document for part in merged.contributions.values() for document in part.documents.values()),
        key=lambda item: (item.origin.file, item.origin.line, item.origin.column),
    )
    return Given(tuple(documents), merged.diagnostics, kinds)


def _within(path: str, recursive: bool) -> Iterator[str]:
    if recursive or not os.path.isdir(path):
        yield path
        return
    with os.scandir(path) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if is_document_name(entry.name) and not entry.is_dir():
                yield entry.path
