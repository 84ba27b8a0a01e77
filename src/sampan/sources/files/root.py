"""A path that the user gave: a file or a folder, which may be missing, vanish and come back."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field

from sampan.model.codes import MISSING_PATH
from sampan.model.diagnostic import Diagnostic
from sampan.model.meta import Origin
from sampan.sources.files.convert import BROKEN_PATIENCE
from sampan.sources.files.reader import Signature, Unreadable, as_text, signature, walk

NEVER = float("inf")

Identity = tuple[int, int]


@dataclass(slots=True)
class Root:
    """`shown` is how messages name it, `path` is absolute. That it is missing is believed only after a while, as
    some editors remove a file before they write it again."""

    shown: str
    path: str
    is_folder: bool = False
    links: bool = False
    """Whether any file or folder below it is a symbolic link, or it is one itself."""
    identity: Identity | None = None
    missing_since: float = NEVER
    folders: frozenset[str] = frozenset()
    unreadable: dict[str, Unreadable] = field(default_factory=dict)
    _held: bool = False
    _device: int | None = None

    def __post_init__(self) -> None:
        self.identity = _identity(self.path)
        self.is_folder = os.path.isdir(self.path)

    @property
    def confinement(self) -> str:
        """The folder that files named by documents may not leave."""
        return self.path if self.is_folder else os.path.dirname(self.path)

    def shown_as(self, path: str) -> str:
        return self.shown if path == self.path else self.shown.rstrip("/") + as_text(path[len(self.path.rstrip("/")) :])

    def holds(self, path: str) -> bool:
        return path == self.path or (self.is_folder and path.startswith(self.path.rstrip("/") + "/"))

    def own_name(self, path: str) -> str:
        """A path as told by the system, by the name under which we know it: some systems resolve symbolic links."""
        real = os.path.realpath(self.path)
        if real != self.path and (path == real or path.startswith(real + "/")):
            return self.path + path[len(real) :]
        return path

    @property
    def deadline(self) -> float:
        return self.missing_since + BROKEN_PATIENCE

    def changed(self, now: float) -> bool:
        """Whether it is another file system object than when it was looked at, or is back, or is missing for good."""
        current = _identity(self.path)
        if current is None and self.identity is not None:
            self.missing_since = min(self.missing_since, now)
            return now >= self.deadline
        returned, self.missing_since = self.missing_since < NEVER, NEVER
        return returned or current != self.identity

    def look(self) -> dict[str, Signature]:
        """All document files, with their signatures."""
        self.identity = _identity(self.path)
        self.missing_since = NEVER
        self.unreadable = {}
        if self.identity is None:
            self.folders = frozenset()
            return {}
        self.is_folder = os.path.isdir(self.path)
        if self.is_folder:
            seen = walk(self.path)
            self.folders, self.unreadable = seen.folders, seen.unreadable
            self.links = seen.links or os.path.islink(self.path)
            files = seen.files
        else:
            self.links = os.path.islink(self.path)
            sign = signature(self.path)
            files = {self.path: sign} if sign is not None else {}
        if files:
            self._held, self._device = True, self.identity[0]
        return files

    @property
    def is_missing(self) -> bool:
        """Not there, or an empty folder on another device than its files were: a mount that is gone."""
        if self.identity is None:
            return True
        return self._device is not None and self.identity[0] != self._device

    def is_waited_for(self, now: float) -> bool:
        """Whether it is missing and that is not believed yet."""
        return self.missing_since < NEVER and now < self.deadline

    def unavailable(self) -> list[str]:
        """What below it (or itself) cannot be read, as shown."""
        below = [self.shown_as(folder) for folder in self.unreadable]
        return [self.shown, *below] if self.is_missing else below

    def diagnostics(self, source: str) -> list[Diagnostic]:
        said = [
            Diagnostic(fault.code, fault.reason, Origin(source, self.shown_as(folder)), hint=fault.hint)
            for folder, fault in self.unreadable.items()
        ]
        if self.is_missing:
            reason, hint = ("it vanished", "what it held stays in force until it is back")
            if not self._held:
                reason, hint = ("it is not there", "check the path; it is read as soon as it appears")
            said.append(Diagnostic(MISSING_PATH, reason, Origin(source, self.shown), hint=hint))
        return said


def _identity(path: str) -> Identity | None:
    """Device and inode of a folder; of a file only the device: another inode is just another version of it."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return (found.st_dev, found.st_ino if stat.S_ISDIR(found.st_mode) else 0)
