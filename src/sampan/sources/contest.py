"""Which document counts where several define one object, and what the others are told. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sampan.documents.kinds.service import Service
from sampan.documents.load import Document
from sampan.model.codes import DUPLICATE_OBJECT, HIDDEN_SERVICE
from sampan.model.diagnostic import Diagnostic, of
from sampan.model.names import SERVICE_LABEL, Ref, qualified
from sampan.sources.contribution import Contribution
from sampan.sources.source import SHARED


@dataclass(frozen=True, slots=True)
class Settled:
    """`document` is None where none is left."""

    document: Document | None
    diagnostics: tuple[Diagnostic, ...] = ()


NOBODY = Settled(None)


def settle(ref: Ref, parts: Sequence[Contribution]) -> Settled:
    """`parts` are those of the keys that have the object.

    First by whether it yields, then by whether it is only held, then by place: a document that cannot be read for the
    moment still has its name, and what is registered does not take it over.
    """
    if len(parts) == 1 and not parts[0].repeated:
        return Settled(parts[0].documents[ref])
    fresh = [part.documents[ref] for part in parts if ref not in part.held]
    fresh += [document for part in parts for document in part.repeated if document.object.ref == ref]
    held = [part.documents[ref] for part in parts if ref in part.held]
    by_rank = [
        sorted((document for document in group if document.yields is yields), key=_order)
        for yields in (False, True)
        for group in (fresh, held)
    ]
    winner = next(group[0] for group in by_rank if group)
    rivals = [document for document in (*by_rank[0], *by_rank[2]) if document is not winner]
    told = (_told(document, winner) for document in rivals)
    return Settled(winner, tuple(item for item in told if item is not None))


def _order(document: Document) -> tuple[bool, str, int, int, str]:
    origin = document.origin
    return (origin.source in SHARED, origin.file, origin.line, origin.column, origin.source)


def _told(loser: Document, winner: Document) -> Diagnostic | None:
    if loser.yields and not winner.yields:
        return None if _takes_in(winner) else _hidden(loser, winner)
    ref = loser.object.ref
    if loser.yields and loser.origin.source != winner.origin.source:
        reason = f"{ref} is registered in {winner.origin.source} too, and the name without a source means that one"
        return of(HIDDEN_SERVICE, loser.object, reason, (), f"refer to '{qualified(ref.name, loser.origin.source)}'")
    reason = f"{ref} is already defined at {winner.origin}, which counts; this one has no effect"
    return Diagnostic(DUPLICATE_OBJECT, reason, loser.origin, ref, (), "remove one of the two, or rename it")


def _takes_in(winner: Document) -> bool:
    """Whether a document says by its selector that the registered instances are meant too, all or some of them."""
    spec = winner.object.spec
    return isinstance(spec, Service) and spec.selector.get(SERVICE_LABEL) == winner.object.ref.name


def _hidden(loser: Document, winner: Document) -> Diagnostic:
    """Told where it can be mended: on the document."""
    name, source = loser.object.ref.name, loser.origin.source
    reason = f"a service '{name}' is registered too; this document counts, and none of its instances is used here"
    hint = (
        f"take them in with 'selector: {{{SERVICE_LABEL}: {name}}}', or refer to '{qualified(name, source)}' for them"
    )
    return of(HIDDEN_SERVICE, winner.object, reason, ("spec", "selector"), hint)
