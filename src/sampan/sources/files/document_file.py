"""One file of documents: what it holds, what of it is believed, and what is still waited for."""

from __future__ import annotations

import hashlib
import os

from sampan.documents.kinds.kind_set import KindSet
from sampan.documents.load import Loaded, Memo, load
from sampan.model.names import Ref
from sampan.sources.files.convert import (
    Content,
    Filled,
    Look,
    confined,
    file_references,
    filled,
    is_partial_pem,
    patience,
    unreadable,
)
from sampan.sources.files.reader import Signature, Unreadable, read, read_named, signature

NEVER = float("inf")
# However long a file keeps changing, after this it is taken as it is.
_LONGEST_WAIT = 2.0


class DocumentFile:
    """`believed` is what was told to the others; `look_at` looks again and says whether that changed.

    A state that looks half-done becomes believed when it has stayed for the time that `convert.patience` gives;
    `deadline` is when to look again, NEVER if nothing is waited for.
    """

    def __init__(self, path: str, shown: str, confinement: str, source: str, kinds: KindSet) -> None:
        self.path, self.shown = path, shown
        self.believed: Look | None = None
        self.deadline = NEVER
        self.signature: Signature | None = None
        self.named: dict[str, Signature | None] = {}
        # False: what is there is known by another name, which counts (links give a file several).
        self.listed = True
        self.former_names: frozenset[str] = frozenset()
        self._confinement, self._source, self._kinds = confinement, source, kinds
        self._content: object = None
        self._read: Loaded = Loaded()
        self._ended = True
        self._filled = Filled()
        self._memo = Memo()
        self._latest: Look | None = None
        self._unsettled_since = NEVER
        self._changed_at = 0.0

    @property
    def names(self) -> frozenset[str]:
        """The files that its documents name, and what symbolic links there stand for."""
        return frozenset(self.named)

    @property
    def is_gone(self) -> bool:
        return self.believed is None and self.deadline == NEVER

    def settle(self) -> None:
        """Nothing is waited for any more."""
        self.deadline, self._unsettled_since = NEVER, NEVER

    def leave(self) -> None:
        """Its folder is away: nothing is waited for, and whatever is there afterwards has not been seen."""
        self.settle()
        self.signature = None

    def look_at(self, now: float, at_once: bool = False) -> bool:
        """Reads the file and those it names. True if `believed` is something else now."""
        latest = self._look()
        if latest != self._latest or self._unsettled_since == NEVER:
            self._changed_at = now
        self._latest = latest
        if latest == self.believed:
            self.settle()
            return False
        wait = 0.0 if at_once else patience(self.believed, latest)
        self._unsettled_since = min(self._unsettled_since, now)
        due = min(self._changed_at + wait, self._unsettled_since + _LONGEST_WAIT)
        if now < due:
            self.deadline = due
            return False
        self.believed = latest
        self.settle()
        return True

    def _look(self) -> Look | None:
        self.signature = signature(self.path)
        content = read(self.path) if self.listed else None
        if content is None:
            self._content, self.named = None, {}
            return None
        if isinstance(content, Unreadable):
            self._content = None
            self.named = {}
            return Look(unreadable(content.code, content.reason, self.shown, self._source, content.hint))
        digest = hashlib.blake2b(content, digest_size=16).digest()
        if digest != self._content:
            self._content = digest
            self._read = load(content, self.shown, self._kinds, self._source, self._memo)
            self._memo = self._read.memo
            self._ended = not content or content.endswith((b"\n", b"\r"))
        return self._look_with_files()

    def _look_with_files(self) -> Look:
        contents: dict[tuple[Ref, str], Content] = {}
        self.named = {}
        partial = False
        for item in self._read.objects:
            for reference in file_references(item):
                content = self._read_named(reference.path)
                partial |= isinstance(content, bytes) and is_partial_pem(content)
                contents[item.ref, reference.key] = content
        loaded, self._filled = filled(self._read, contents, self._filled)
        return Look(loaded, self._ended, partial, hash(tuple(contents.values())))

    def _read_named(self, path: str) -> Content:
        try:
            whole = confined(path, os.path.dirname(self.path), self._confinement)
        except ValueError as error:
            return str(error)
        for name in {whole, os.path.realpath(whole)}:
            self.named[name] = signature(name)
        return read_named(whole, self._confinement)
