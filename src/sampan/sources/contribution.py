"""What one key (a file, a key of a store) has in force: its documents, and of those that cannot be read the last good
version. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sampan.documents.load import Document, Loaded, Skipped
from sampan.model.codes import LAST_GOOD
from sampan.model.diagnostic import Diagnostic
from sampan.model.names import Ref


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one key has in force: documents by Ref, which of them are only held (last good), and documents that repeat
    a Ref of the same key."""

    documents: Mapping[Ref, Document] = field(default_factory=dict)
    held: frozenset[Ref] = frozenset()
    repeated: tuple[Document, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    skipped: tuple[Skipped, ...] = ()


NOTHING = Contribution()

# Stands for a key under a folder that vanished: nothing is known of it, so everything of it is held.
UNAVAILABLE = Loaded()


def following(before: Contribution, loaded: Loaded | None) -> Contribution:
    """What is in force after the key was read; None: it is gone."""
    if loaded is None:
        return NOTHING
    if loaded is UNAVAILABLE:
        return Contribution(before.documents, frozenset(before.documents))
    documents: dict[Ref, Document] = {}
    repeated: list[Document] = []
    for document in loaded.documents:
        if document.object.ref in documents:
            repeated.append(document)
        else:
            documents[document.object.ref] = document
    held = _held(before, loaded, documents)
    documents |= {ref: before.documents[ref] for ref in held}
    diagnostics = loaded.diagnostics
    if held:
        diagnostics = (*diagnostics, _held_warning(held, loaded))
    return Contribution(documents, frozenset(held), tuple(repeated), diagnostics, loaded.skipped)


def _held(before: Contribution, loaded: Loaded, documents: Mapping[Ref, Document]) -> list[Ref]:
    broken = {item.ref for item in loaded.broken}
    return [ref for ref in before.documents if ref not in documents and (ref in broken or None in broken)]


def _held_warning(held: list[Ref], loaded: Loaded) -> Diagnostic:
    names = ", ".join(str(ref) for ref in held[:3]) + (f" and {len(held) - 3} more" if len(held) > 3 else "")
    broken = {item.ref: item.origin for item in loaded.broken}
    origin = next((broken[ref] for ref in held if ref in broken), None) or broken[None]
    return Diagnostic(
        LAST_GOOD, f"until this can be read, this stays as it was: {names}", origin, held[0] if len(held) == 1 else None
    )


def differing(before: Contribution, after: Contribution) -> set[Ref]:
    """Objects for which something else may count now. A key may hold thousands, of which one changed."""
    old, new = before.documents, after.documents
    found = {ref for ref, document in new.items() if old.get(ref) != document}
    found |= old.keys() - new.keys()
    found |= before.held ^ after.held
    return found | {document.object.ref for document in (*before.repeated, *after.repeated)}
