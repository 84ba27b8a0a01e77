"""Text to objects and diagnostics. A user's mistake never raises, and harms only its own document.

`load` reads one text (a file, a key of a store). It splits it into documents and reads each by itself; what it read
is in `Loaded.memo`, which makes the next `load` of nearly the same text cheap: an unchanged document keeps its Object,
even when it moves by some lines. Where it stands now is in `Document.origin`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sampan.documents.kinds.kind_set import KindSet
from sampan.documents.read import Parsed, parse
from sampan.documents.split import normalised, split
from sampan.model.codes import NOT_TEXT, SKIPPED_KIND, TOO_LARGE
from sampan.model.diagnostic import Diagnostic
from sampan.model.meta import Object, Origin
from sampan.model.names import Ref

MAX_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Document:
    """An object and where it stands in its text now; `object.meta.origin` is where it stood when it was read.

    One that `yields` (a registered Service under its bare name) gives way to a document of the same object."""

    object: Object
    origin: Origin
    yields: bool = False


@dataclass(frozen=True, slots=True)
class Broken:
    """A document that could not be read. `ref` is None where it cannot even be said which object it is."""

    ref: Ref | None
    origin: Origin


@dataclass(frozen=True, slots=True)
class Skipped:
    """A document of a kind that is none of ours ("" and "" for one that is no Kubernetes document at all)."""

    group: str
    kind: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Memo:
    """What was read before, by the text of each document. Belongs to one file and one KindSet."""

    parsed: Mapping[str, Parsed] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Loaded:
    """One text, read. Documents that are right are there even if others are broken."""

    documents: tuple[Document, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    broken: tuple[Broken, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    memo: Memo = field(default=Memo(), repr=False, compare=False)

    @property
    def objects(self) -> tuple[Object, ...]:
        return tuple(document.object for document in self.documents)


def load(text: str | bytes, file: str, kinds: KindSet, source: str = "files", memo: Memo | None = None) -> Loaded:
    """`file` is the name that messages show. `memo` is `Loaded.memo` of the last `load` of the same file."""
    origin = Origin(source, file, 1, 1)
    if len(text) > MAX_BYTES:
        reason = f"{len(text)} bytes or more; at most {MAX_BYTES} are read"
        return _unreadable(Diagnostic(TOO_LARGE, reason, origin, hint="split it into several files"))
    if isinstance(text, bytes):
        try:
            decoded = text.decode("utf-8")
        except UnicodeDecodeError as error:
            return _unreadable(_not_text(text, error, origin))
        text = decoded
    if "\0" in text:
        reason = "it holds a NUL byte, as binary files do"
        return _unreadable(
            Diagnostic(NOT_TEXT, reason, origin, hint="remove it, or rename it to something without .yaml")
        )
    return _loaded(text, origin, kinds, memo or Memo())


def _unreadable(diagnostic: Diagnostic) -> Loaded:
    return Loaded(diagnostics=(diagnostic,), broken=(Broken(None, diagnostic.origin),))


def _not_text(text: bytes, error: UnicodeDecodeError, origin: Origin) -> Diagnostic:
    if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return Diagnostic(NOT_TEXT, "it is written in UTF-16", origin, hint="save it as UTF-8")
    before = text[: error.start]
    line = before.count(b"\n") + 1
    column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
    reason = f"byte 0x{text[error.start]:02X} is not UTF-8"
    return Diagnostic(NOT_TEXT, reason, replace(origin, line=line, column=column), hint="save it as UTF-8")


def _loaded(text: str, origin: Origin, kinds: KindSet, memo: Memo) -> Loaded:
    documents: list[Document] = []
    diagnostics: list[Diagnostic] = []
    broken: list[Broken] = []
    skipped: list[Skipped] = []
    parsed: dict[str, Parsed] = {}
    for part in split(normalised(text)):
        read = memo.parsed.get(part.text)
        if read is None:
            read = parse(part.text, replace(origin, line=part.line), kinds)
        parsed[part.text] = read
        moved = part.line - read.line
        documents.extend(Document(item, _moved(item.meta.origin, moved)) for item in read.objects)
        if read.diagnostics or read.broken or read.skipped:
            diagnostics.extend(item.at(_moved(item.origin, moved)) if moved else item for item in read.diagnostics)
            broken.extend(Broken(ref, _moved(place, moved)) for ref, place in read.broken)
            skipped.extend(Skipped(*kind, _moved(place, moved)) for kind, place in read.skipped)
    return Loaded(tuple(documents), tuple(diagnostics), tuple(broken), tuple(skipped), Memo(parsed))


def _moved(origin: Origin, lines: int) -> Origin:
    return replace(origin, line=origin.line + lines) if lines else origin


def skip_warnings(skipped: tuple[Skipped, ...]) -> tuple[Diagnostic, ...]:
    """One warning for each kind, at its first document."""
    first: dict[tuple[str, str], Skipped] = {}
    count: dict[tuple[str, str], int] = {}
    for item in sorted(skipped, key=lambda item: (item.origin.file, item.origin.line)):
        first.setdefault((item.group, item.kind), item)
        count[item.group, item.kind] = count.get((item.group, item.kind), 0) + 1
    return tuple(_skip_warning(item, count[key]) for key, item in first.items())


def _skip_warning(item: Skipped, count: int) -> Diagnostic:
    more = f" (and {count - 1} more)" if count > 1 else ""
    if not item.kind:
        return Diagnostic(SKIPPED_KIND, f"not a Kubernetes document; left alone{more}", item.origin)
    group = item.group or "the core group"
    return Diagnostic(SKIPPED_KIND, f"{item.kind} of {group} is none of ours; left alone{more}", item.origin)
