"""What applying or deleting would do, document by document. Pure: from documents and from what is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from sampan.cli.stored import stamp
from sampan.cli.stored.stamp import Stamp
from sampan.consul.transaction import Operation
from sampan.consul.wire import LARGEST_VALUE, Entry
from sampan.documents.kinds.secret import REDACTED, Sealed, Secret
from sampan.documents.load import Document
from sampan.documents.locate import positions
from sampan.model.codes import BAD_VALUE, OPEN_SECRET, SYNTAX, TOO_LARGE, WRITTEN_MEANWHILE, Code
from sampan.model.diagnostic import Diagnostic
from sampan.model.names import Ref
from sampan.sources.consul.document_keys import key_of

What = Literal["created", "configured", "unchanged", "deleted"]

# What others refer to comes first, and routes come last, when many documents need several transactions: a route never
# finds less than it needs, nor is it there without its policies. Kinds that are not named (policies) are in between.
_FIRST = ("Namespace", "Secret", "ConfigMap", "Service", "EndpointSlice", "Backend", "ReferenceGrant", "GatewayClass")
_LAST = ("Gateway", "ListenerSet", "TCPRoute", "UDPRoute", "TLSRoute", "GRPCRoute", "HTTPRoute")


@dataclass(frozen=True, slots=True)
class Step:
    """One document. `text` is what is to be stored, "" to delete; `before` is what is stored; `place` is where the
    user's document stands."""

    ref: Ref
    what: What
    text: str = field(default="", repr=False)
    before: Entry | None = None
    place: str = ""

    @property
    def key(self) -> str:
        return key_of(self.ref)

    @property
    def name(self) -> str:
        """`httproute/shop`."""
        return f"{self.ref.kind.lower()}/{self.ref.name}"

    @property
    def operation(self) -> Operation | None:
        """What the store is told; it refuses if the key is no longer what `before` is."""
        index = self.before.modify_index if self.before is not None else 0
        if self.what == "deleted":
            return Operation("delete-cas", self.key, index=index)
        return None if self.what == "unchanged" else Operation("cas", self.key, self.text.encode(), index)


def to_apply(
    documents: Iterable[Document], stored: Mapping[str, Entry], now: str, *, secrets: bool = False
) -> tuple[tuple[Step, ...], tuple[Diagnostic, ...]]:
    """`stored` is by key; `now` is RFC 3339; `secrets` lets Secrets through."""
    steps: list[Step] = []
    mistakes: list[Diagnostic] = []
    for document in documents:
        step = _step(document, stored.get(key_of(document.object.ref)), now)
        if isinstance(step, Diagnostic):
            mistakes.append(step)
        else:
            steps.append(step)
            mistakes += _mistakes(document, step, secrets)
    return tuple(steps), tuple(mistakes)


def _step(document: Document, before: Entry | None, now: str) -> Step | Diagnostic:
    item = document.object
    text = stamp.own_text(item)
    if text is None:
        reason = "it refers to an anchor in another document, and is to be kept by itself"
        return Diagnostic(SYNTAX, reason, document.origin, item.ref, (), "write what the anchor stands for")
    if before is None:
        text = stamp.stamped(text, Stamp(now, 1))
        return Step(item.ref, "created", text, None, str(document.origin))
    old = before.value.decode("utf-8", "replace")
    value, wanted = stamp.value_of(old) or {}, stamp.value_of(text) or {}
    kept = stamp.stamp_of(value) if isinstance(value.get("metadata"), dict) else Stamp()
    kept = Stamp(kept.created or now, kept.generation)
    if stamp.stamped(text, kept) == old:
        return Step(item.ref, "unchanged", old, before, str(document.origin))
    changed = _meaning(value) != _meaning(wanted)
    text = stamp.stamped(text, replace(kept, generation=(kept.generation or 1) + changed))
    return Step(item.ref, "configured", text, before, str(document.origin))


def _meaning(value: stamp.Value) -> stamp.Value:
    """What generations count changes of."""
    return {key: part for key, part in value.items() if key not in ("metadata", "status", "apiVersion")}


def _mistakes(document: Document, step: Step, secrets: bool) -> Iterable[Diagnostic]:
    size = len(step.text.encode())
    if size > LARGEST_VALUE:
        reason = f"{size} bytes; Consul's KV takes at most {LARGEST_VALUE} (512 KiB) in a key"
        yield _mistake(TOO_LARGE, document, reason, (), "make several documents of it")
    if isinstance(document.object.spec, Secret) and _is_masked(document.object.spec):
        reason = "it comes from `sampan get`, which does not show what a Secret holds"
        yield _mistake(BAD_VALUE, document, reason, ("kind",), "apply the document that it was made from")
    elif isinstance(document.object.spec, Secret) and not secrets:
        reason = "what it holds would be readable for everybody who may read the KV"
        hint = "keep it in a file of `sampan up -f`, or apply it with --secrets if nobody else reads the KV"
        yield _mistake(OPEN_SECRET, document, reason, ("kind",), hint)
    version = stamp.version_of(document.object)
    there = str(step.before.modify_index) if step.before is not None else "nothing"
    if version and version != there and step.what != "unchanged":
        reason = f"it was made from version {version}, and {there} is stored: somebody else changed it meanwhile"
        hint = "get it again and change that; without resourceVersion this one replaces what is there"
        yield _mistake(WRITTEN_MEANWHILE, document, reason, ("metadata", "resourceVersion"), hint)


def _is_masked(secret: Secret) -> bool:
    masked = Sealed(REDACTED.encode())
    return any(secret.value(key) == masked for key in (*secret.data, *secret.string_data))


def _mistake(code: Code, document: Document, reason: str, path: tuple[str, ...], hint: str) -> Diagnostic:
    start = document.origin
    line, column = positions(document.object.text, [path])[0] if path else (1, start.column)
    place = replace(start, line=start.line + line - 1, column=column)
    return Diagnostic(code, reason, place, document.object.ref, path, hint)


def to_delete(refs: Iterable[Ref], stored: Mapping[str, Entry]) -> tuple[tuple[Step, ...], tuple[Ref, ...]]:
    """The steps, and what is not there."""
    refs = tuple(refs)
    found = tuple(Step(ref, "deleted", before=stored[key_of(ref)]) for ref in refs if key_of(ref) in stored)
    return found, tuple(ref for ref in refs if key_of(ref) not in stored)


def in_order(steps: Sequence[Step]) -> list[Step]:
    """The order in which they are written: what is referred to before what refers to it; deleting, the other way."""
    ranks = {kind: rank for rank, kind in enumerate((*_FIRST, "", *_LAST))}
    creating = [step for step in steps if step.what != "deleted"]
    deleting = [step for step in steps if step.what == "deleted"]

    def rank(step: Step) -> int:
        return ranks.get(step.ref.kind, ranks[""])

    return sorted(creating, key=rank) + sorted(deleting, key=rank, reverse=True)
