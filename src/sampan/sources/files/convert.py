"""What files mean. Pure: which names count, what a file's bytes say, which files its Secrets name, and how long to wait
before an odd state of a file is believed."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from sampan.documents.kinds.secret import FILES_PREFIX, ConfigMap, Secret
from sampan.documents.load import Broken, Document, Loaded
from sampan.documents.locate import positions
from sampan.model.codes import BAD_FILE_REFERENCE, Code
from sampan.model.diagnostic import Diagnostic
from sampan.model.meta import Object, Origin
from sampan.model.names import Ref

SUFFIXES = (".yaml", ".yml", ".json")

# How long, in seconds, a state that looks half-done is not believed. Editors write within milliseconds; a mistake that
# is still there after 0.3 s is the user's.
BROKEN_PATIENCE = 0.3
SHRUNK_PATIENCE = 0.1


def is_document_name(name: str) -> bool:
    """Whether a file of this name holds documents: by suffix, without hidden files and what editors leave
    (`.a.yaml.swp`, `a.yaml~`, `#a.yaml#`, `.#a.yaml`, vim's `4913`)."""
    return name.endswith(SUFFIXES) and not name.startswith((".", "#"))


def is_folder_name(name: str) -> bool:
    """Hidden folders (`.git`, the `..data` of a mounted ConfigMap) hold no documents of their own."""
    return not name.startswith(".")


def unreadable(code: Code, reason: str, file: str, source: str, hint: str = "") -> Loaded:
    """A file of which nothing is known: whatever it had stays in force."""
    origin = Origin(source, file)
    return Loaded(diagnostics=(Diagnostic(code, reason, origin, hint=hint),), broken=(Broken(None, origin),))


@dataclass(frozen=True, slots=True)
class FileReference:
    """A file that a Secret or ConfigMap names: the key it fills and the path as written."""

    key: str
    path: str

    @property
    def field(self) -> tuple[str, ...]:
        return ("metadata", "annotations", FILES_PREFIX + self.key)


def file_references(item: Object) -> Iterator[FileReference]:
    """The files that an object names. Only Secrets and ConfigMaps do."""
    if isinstance(item.spec, Secret | ConfigMap):
        for name, path in sorted(item.meta.annotations.items()):
            if name.startswith(FILES_PREFIX):
                yield FileReference(name.removeprefix(FILES_PREFIX), path)


def confined(path: str, folder: str, root: str) -> str:
    """The file that `path`, written in a document in `folder`, names, if it is below `root`. Raises ValueError with the
    reason. `folder` and `root` are absolute. Symbolic links are for the reader to check."""
    if not path or not path.isprintable():
        raise ValueError("the path is empty or holds control characters")
    if posixpath.isabs(path) or path.startswith("~"):
        raise ValueError("the path must be relative to the document's folder")
    whole = posixpath.normpath(posixpath.join(folder, path))
    if not whole.startswith(posixpath.normpath(root).rstrip("/") + "/"):
        raise ValueError(f"the path leads out of {root}")
    return whole


Content = bytes | str
"""What a named file holds, or (text) why it cannot be read."""


@dataclass(frozen=True, slots=True)
class Filled:
    """Objects with their files' contents, by the object as it was read: if no file changed, the same object again."""

    known: Mapping[Object, tuple[tuple[bytes, ...], Object]] = field(default_factory=dict, repr=False)


def filled(loaded: Loaded, contents: Mapping[tuple[Ref, str], Content], before: Filled) -> tuple[Loaded, Filled]:
    """Puts files into the objects that name them. `contents` is by object and key. An object one of whose files cannot
    be read counts as broken: its last good version stays."""
    if not any(True for document in loaded.documents for _ in file_references(document.object)):
        return loaded, before if not before.known else Filled()
    documents: list[Document] = []
    diagnostics = list(loaded.diagnostics)
    broken = list(loaded.broken)
    known: dict[Object, tuple[tuple[bytes, ...], Object]] = {}
    for document in loaded.documents:
        references = list(file_references(document.object))
        faults, found = _sorted_out(document, references, contents)
        if faults:
            diagnostics += faults
            broken.append(Broken(document.object.ref, document.origin))
        elif references:
            item = _with_files(document.object, found, before)
            known[document.object] = (tuple(found.values()), item)
            documents.append(Document(item, document.origin))
        else:
            documents.append(document)
    result = replace(loaded, documents=tuple(documents), diagnostics=tuple(diagnostics), broken=tuple(broken))
    return result, Filled(known)


def _sorted_out(
    document: Document, references: list[FileReference], contents: Mapping[tuple[Ref, str], Content]
) -> tuple[list[Diagnostic], dict[str, bytes]]:
    faults: list[Diagnostic] = []
    found: dict[str, bytes] = {}
    ref, start = document.object.ref, document.origin
    for reference in references:
        content = contents.get((ref, reference.key), "it was not read")
        if isinstance(content, bytes):
            found[reference.key] = content
            continue
        line, column = positions(document.object.text, [reference.field])[0]
        place = replace(start, line=start.line + line - 1, column=column)
        reason = f"'{reference.path}': {content}"
        hint = "the path is relative to the folder of this document, and stays in the folder that Sampan was given"
        faults.append(Diagnostic(BAD_FILE_REFERENCE, reason, place, ref, reference.field, hint))
    return faults, found


def _with_files(item: Object, contents: dict[str, bytes], before: Filled) -> Object:
    known = before.known.get(item)
    if known is not None and known[0] == tuple(contents.values()):
        return known[1]
    return replace(item, spec=item.spec.with_files(contents))


@dataclass(frozen=True, slots=True)
class Look:
    """What a file looked like, as far as `patience` asks."""

    loaded: Loaded
    ended: bool = True
    """The text ends with the end of a line, or is empty."""
    partial: bool = False
    """A named certificate or key file lacks its last line."""
    named: int = 0
    """A hash of the contents of the files that it names."""


def patience(before: Look | None, now: Look | None) -> float:
    """Seconds to wait before a new state of a file is believed; 0 is at once. `None` stands for no file.

    Half-written files, files truncated before they are written again, the moment between removal and replacement, and
    that between a new certificate and its key pass within milliseconds; waiting hides them. A change of documents that
    leaves each of them readable and in place is never kept waiting.
    """
    if before is None:
        return 0.0
    if now is None:
        return SHRUNK_PATIENCE
    if now.partial or (now.loaded.broken and not _same_breakage(before.loaded, now.loaded)):
        return BROKEN_PATIENCE
    lost = {item.ref for item in before.loaded.objects} - {item.ref for item in now.loaded.objects}
    if lost and not now.loaded.objects:
        return BROKEN_PATIENCE
    odd = bool(lost) or (before.ended and not now.ended) or before.named != now.named
    return SHRUNK_PATIENCE if odd else 0.0


def _same_breakage(before: Loaded, now: Loaded) -> bool:
    """Whether nothing is broken that was not broken before, so that nothing new is to be waited for."""
    return {item.ref for item in now.broken} <= {item.ref for item in before.broken}


def is_partial_pem(content: bytes) -> bool:
    """Whether a PEM file has a beginning without its end."""
    return content.count(b"-----BEGIN") != content.count(b"-----END")
