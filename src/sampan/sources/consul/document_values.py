"""What a key of the KV and its value mean as documents. Pure.

A key is for one object. A value that cannot be read, or that is another object, says nothing about it: its last good
version stays (`merge` sees to that), and the object that it pretends to be is not touched.
"""

from __future__ import annotations

from dataclasses import replace

from sampan.documents.kinds.kind_set import KindSet
from sampan.documents.load import Broken, Document, Loaded, Memo, load
from sampan.model.codes import BAD_FILE_REFERENCE, KEY_AND_VALUE, MISPLACED_KEY
from sampan.model.diagnostic import Diagnostic
from sampan.model.meta import Origin
from sampan.model.names import Ref
from sampan.sources.consul.document_keys import Misplaced, Scheme, key_of
from sampan.sources.files.convert import file_references


def read_value(key: str, value: bytes, scheme: Scheme, kinds: KindSet, source: str, memo: Memo | None = None) -> Loaded:
    """`memo` is `Loaded.memo` of the last value of the same key."""
    ref = scheme.ref_of(key)
    origin = Origin(source, key, 1, 1)
    if isinstance(ref, Misplaced):
        said = Diagnostic(
            MISPLACED_KEY, f"{ref.reason}; this key has no effect", replace(origin, line=0), hint=ref.hint
        )
        return Loaded(diagnostics=(said,))
    loaded = load(value, key, kinds, source, memo)
    return _only(ref, loaded, origin)


def _only(ref: Ref, loaded: Loaded, origin: Origin) -> Loaded:
    """What the key's own object is, without all else that the value holds."""
    documents: list[Document] = []
    diagnostics = list(loaded.diagnostics)
    for document in loaded.documents:
        fault = _fault(ref, document, taken=bool(documents))
        if fault is None:
            documents.append(document)
        else:
            diagnostics.append(fault)
    for foreign in loaded.skipped:
        reason = f"the key is for {ref}, and this is {foreign.kind or 'no Kubernetes document'}"
        diagnostics.append(Diagnostic(KEY_AND_VALUE, reason, foreign.origin, ref, hint="`sampan apply` writes both"))
    if not loaded.documents and not diagnostics:
        diagnostics.append(Diagnostic(KEY_AND_VALUE, f"the key is for {ref}, and its value holds nothing", origin, ref))
    broken = () if documents else (Broken(ref, loaded.broken[0].origin if loaded.broken else origin),)
    return Loaded(tuple(documents), tuple(diagnostics), broken, (), loaded.memo)


def _fault(ref: Ref, document: Document, taken: bool) -> Diagnostic | None:
    found = document.object.ref
    if found != ref:
        reason = f"the key is for {ref}, and this is {found}; it has no effect"
        hint = f"keep it at {key_of(found)}: `sampan apply` writes the right key"
        return Diagnostic(KEY_AND_VALUE, reason, document.origin, ref, (), hint)
    if taken:
        reason = f"{ref} stands twice in this value; the first counts"
        return Diagnostic(KEY_AND_VALUE, reason, document.origin, ref, (), "remove one of the two")
    named = next(file_references(document.object), None)
    if named is not None:
        reason = f"'{named.path}': a document in Consul has no folder with files beside it"
        hint = "`sampan apply` puts what the files hold into the document"
        return Diagnostic(BAD_FILE_REFERENCE, reason, document.origin, ref, named.field, hint)
    return None
