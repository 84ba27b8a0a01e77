"""What is known of the files below the given paths, and what a notice makes of it. Its I/O is `reader`'s."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace

from sampan.documents.kinds.kind_set import KindSet
from sampan.documents.load import Loaded
from sampan.model.diagnostic import Diagnostic
from sampan.sources.files.convert import is_document_name
from sampan.sources.files.document_file import DocumentFile
from sampan.sources.files.reader import Signature, as_text, real_folders, signature
from sampan.sources.files.root import NEVER, Identity, Root
from sampan.sources.source import Records, SourceHealth, under

Watched = tuple[frozenset[tuple[str, Identity]], frozenset[str]]


class Tree:
    """Not for several threads at once: each call is made after the last one returned."""

    def __init__(self, paths: Sequence[str], kinds: KindSet, source: str) -> None:
        self._roots = [Root(as_text(os.path.normpath(path)), os.path.abspath(path)) for path in dict.fromkeys(paths)]
        self._files: dict[str, DocumentFile] = {}
        self._kinds, self._source = kinds, source
        self._dependents: dict[str, set[str]] = {}
        self._unsettled: set[str] = set()
        self._unavailable: frozenset[str] = frozenset()
        self._health = SourceHealth()

    @property
    def next_deadline(self) -> float:
        """When something that looked half-done is to be looked at again."""
        files = min((self._files[path].deadline for path in self._unsettled), default=NEVER)
        return min([files, *(root.deadline for root in self._roots)])

    @property
    def has_single_files(self) -> bool:
        return any(not root.is_folder for root in self._roots)

    def read_all(self, now: float) -> Records:
        """Everything, believed at once: nothing was there before that could be kept."""
        changed: dict[str, Loaded] = {}
        for file in map(self._file, sorted(self._compare(now))):
            if file is not None:
                if file.look_at(now, at_once=True) and file.believed is not None:
                    changed[file.shown] = file.believed.loaded
                self._after(file)
        return Records(self._source, changed, frozenset(), True, self._unavailable, self._health)

    def update(self, told: Iterable[str], now: float, everything: bool = False) -> Records | None:
        """What changed, by the paths that were told (and, with `everything`, by comparing all). None if nothing did."""
        before = (self._unavailable, self._health)
        dirty = {path for path in self._unsettled if self._files[path].deadline <= now}
        compare = sum(root.changed(now) for root in self._roots) > 0 or everything
        for path in told:
            compare |= self._concerns(path, dirty)
        if compare:
            dirty |= self._compare(now)
        changed: dict[str, Loaded] = {}
        removed: set[str] = set()
        absent = self._unavailable | {root.shown for root in self._roots if root.is_waited_for(now)}
        for file in map(self._file, sorted(dirty)):
            if file is None:
                continue
            if under(file.shown, absent):
                file.leave()
            elif file.look_at(now):
                if file.believed is None:
                    removed.add(file.shown)
                else:
                    changed[file.shown] = file.believed.loaded
            self._after(file)
        if not changed and not removed and before == (self._unavailable, self._health):
            return None
        return Records(self._source, changed, frozenset(removed), False, self._unavailable, self._health)

    def with_note(self, records: Records, note: Diagnostic | None) -> Records:
        """The records with one more thing to say of the source."""
        if note is None:
            return records
        health = SourceHealth(records.health.ok, (*records.health.diagnostics, note))
        return replace(records, health=health)

    def watched(self) -> Watched:
        """Folders to be watched with all below them, and folders to be watched alone: those around the roots (which may
        be replaced), around what symbolic links stand for, and around files that documents name."""
        present = [root for root in self._roots if os.path.isdir(root.path)]
        folders = {(root.path, root.identity) for root in present if root.is_folder and root.identity is not None}
        alone = {_nearest_folder(os.path.dirname(root.path)) for root in self._roots}
        below = {path for path, _ in folders}
        alone |= {_nearest_folder(os.path.dirname(path)) for path in self._dependents if not _is_below(path, below)}
        for root in self._roots:
            if root.links:
                alone |= real_folders((path for path in self._files if root.holds(path)), root.path)
                alone |= real_folders(iter(root.folders), root.path)
        return frozenset(folders), frozenset(alone)

    def _file(self, path: str) -> DocumentFile | None:
        file = self._files.get(path)
        if file is None:
            root = next((root for root in self._roots if root.holds(path)), None)
            if root is None:
                return None
            file = DocumentFile(path, root.shown_as(path), root.confinement, self._source, self._kinds)
            self._files[path] = file
        return file

    def _after(self, file: DocumentFile) -> None:
        """Keeps the indexes right after a file was looked at."""
        if file.deadline < NEVER:
            self._unsettled.add(file.path)
        else:
            self._unsettled.discard(file.path)
        for path in file.former_names - file.names:
            self._dependents[path].discard(file.path)
            if not self._dependents[path]:
                del self._dependents[path]
        for path in file.names:
            self._dependents.setdefault(path, set()).add(file.path)
        file.former_names = file.names
        if file.is_gone:
            del self._files[file.path]

    def _concerns(self, told: str, dirty: set[str]) -> bool:
        """Adds the files that a notice is about; says whether all must be compared."""
        path = told
        for root in self._roots:
            if not root.holds(path):
                path = root.own_name(told)
            if root.holds(path):
                break
        dirty |= self._dependents.get(path, set())
        if path in self._files:
            dirty.add(path)
            # The same file may be known by a link's name too.
            return any(root.links and root.holds(path) for root in self._roots)
        if any(name.startswith(path + "/") for name in self._dependents):
            return True
        root_of = next((root for root in self._roots if root.holds(path)), None)
        if root_of is None:
            # Around the roots: only what symbolic links stand for.
            return any(root.links for root in self._roots)
        if path == root_of.path:
            dirty |= set() if root_of.is_folder else {path}
            return root_of.is_folder
        return _concerns_below(root_of, path, dirty)

    def _compare(self, now: float) -> set[str]:
        """Looks at all roots; the files that are new, gone or not as they were."""
        found: dict[str, Signature] = {}
        for root in self._roots:
            if not root.is_waited_for(now):
                found |= {path: sign for path, sign in root.look().items() if path not in found}
        self._unavailable = frozenset(name for root in self._roots for name in root.unavailable())
        said = tuple(item for root in self._roots for item in root.diagnostics(self._source))
        self._health = SourceHealth(not said, said)
        dirty = {path for path, sign in found.items() if path not in self._files or self._files[path].signature != sign}
        dirty |= self._files.keys() - found.keys()
        for path, file in self._files.items():
            file.listed = path in found
        for path, dependents in self._dependents.items():
            if any(self._files[dependent].named[path] != signature(path) for dependent in dependents):
                dirty |= dependents
        return dirty


def _concerns_below(root: Root, path: str, dirty: set[str]) -> bool:
    parts = path[len(root.path.rstrip("/")) + 1 :].split("/")
    if any(part.startswith(".") for part in parts):
        # Hidden: of interest only where visible names are links into it, such as `..data` of a mounted ConfigMap.
        return root.links
    if root.links or path in root.folders or os.path.isdir(path) or os.path.islink(path):
        # With links there are several names for one file, of which only a comparison knows the one that counts; and
        # what a new link leads to has to be watched.
        return True
    if is_document_name(parts[-1]):
        dirty.add(path)
    return False


def _is_below(path: str, folders: Iterable[str]) -> bool:
    return any(path.startswith(folder.rstrip("/") + "/") for folder in folders)


def _nearest_folder(path: str) -> str:
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path
