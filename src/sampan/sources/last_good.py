"""The last good version of every document: what stays in force for what cannot be read. Pure; the caller persists it.

It holds texts, and the files that Secrets name, so it holds secrets: whoever stores it keeps it from others' eyes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from sampan.documents.kinds.kind_set import KindSet
from sampan.documents.kinds.secret import FILES_PREFIX, ConfigMap, Secret
from sampan.documents.load import Document, load
from sampan.model.names import Ref

Key = tuple[str, str]
"""(source, key)."""


@dataclass(frozen=True, slots=True)
class Saved:
    """One document as it was when it was good. `files` are the contents of the files it names."""

    ref: Ref
    text: str = field(repr=False)
    line: int
    files: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class LastGood:
    """By key. Tuples of unchanged keys stay the same objects, so that a caller sees by identity what to write."""

    saved: Mapping[Key, tuple[Saved, ...]] = field(default_factory=dict)

    def with_keys(self, changes: Mapping[Key, Iterable[Document]]) -> LastGood:
        """The next one: what each changed key has in force now; a key with nothing is dropped."""
        saved = dict(self.saved)
        for key, documents in changes.items():
            # What was registered has no text; who registered it is asked again.
            now = tuple(_saved(document) for document in documents if document.object.text)
            if not now:
                saved.pop(key, None)
            elif now != saved.get(key):
                saved[key] = now
        return LastGood(saved)


def difference(old: LastGood, new: LastGood) -> dict[Key, tuple[Saved, ...]]:
    """What to write: keys with what they hold now, () for those to delete."""
    changed = {key: saved for key, saved in new.saved.items() if old.saved.get(key) is not saved}
    return changed | {key: () for key in old.saved if key not in new.saved}


def _saved(document: Document) -> Saved:
    item = document.object
    return Saved(item.ref, item.text, document.origin.line, _files(document))


def _files(document: Document) -> tuple[tuple[str, bytes], ...]:
    spec = document.object.spec
    if not isinstance(spec, Secret | ConfigMap):
        return ()
    names = [
        name.removeprefix(FILES_PREFIX) for name in document.object.meta.annotations if name.startswith(FILES_PREFIX)
    ]
    values = ((name, spec.value(name)) for name in sorted(names))
    return tuple(
        (name, value if isinstance(value, bytes) else value.reveal()) for name, value in values if value is not None
    )


def restored(key: Key, saved: Iterable[Saved], kinds: KindSet) -> tuple[Document, ...]:
    """The documents again, after a restart. One that is no longer readable (an older version wrote it) is left out."""
    return tuple(
        _filled(document, item)
        for item in saved
        for document in load(item.text, key[1], kinds, key[0]).documents
        if document.object.ref == item.ref
    )


def _filled(document: Document, saved: Saved) -> Document:
    item = document.object
    spec = item.spec
    if saved.files and isinstance(spec, Secret | ConfigMap):
        spec = spec.with_files(dict(saved.files))
    origin = replace(document.origin, line=saved.line)
    meta = replace(item.meta, origin=origin)
    return Document(replace(item, meta=meta, spec=spec), origin)
