"""One document: from its text to Objects and diagnostics. `load` puts the documents of a text together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any

from pydantic import ValidationError
from yaml import MappingNode, Node

from sampan.documents import metadata
from sampan.documents.kinds.kind_set import Kind, KindSet
from sampan.documents.kinds.shape import Mistake, Path, Spec
from sampan.documents.locate import position
from sampan.documents.words import MOST, fields_at, found_words, mistakes_of, nearest, unknown_field
from sampan.documents.yaml_text import Build, TextError, compose
from sampan.model.codes import (
    MISSING_FIELD,
    NOT_AN_OBJECT,
    REGISTERED_KIND,
    UNKNOWN_KIND,
    UNKNOWN_VERSION,
    UNSUPPORTED_FIELD,
    UNSUPPORTED_KIND,
    WRONG_TYPE,
)
from sampan.model.diagnostic import Diagnostic
from sampan.model.meta import Meta, Object, Origin
from sampan.model.names import CORE, DISCOVERY, GATEWAY_API, Ref


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a document's text gave. `line` is where it started when it was read; all origins are as of then."""

    line: int
    objects: tuple[Object, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    broken: tuple[tuple[Ref | None, Origin], ...] = ()
    skipped: tuple[tuple[tuple[str, str], Origin], ...] = ()


def parse(text: str, origin: Origin, kinds: KindSet) -> Parsed:
    """`origin` is where the text starts. A `List` gives several objects."""
    build = Build(text)
    reading = _Reading(text, origin, kinds)
    try:
        root = compose(text)
        value = build.value(root) if root is not None else None
    except TextError as mistake:
        place = reading.place(mistake.line, mistake.column)
        diagnostic = Diagnostic(mistake.code, mistake.reason, place, hint=mistake.hint)
        return Parsed(origin.line, diagnostics=(diagnostic,), broken=((None, place),))
    if root is None or value is None:
        return Parsed(origin.line)
    items = list(_unfolded(root, value))
    for node, item in items:
        inside = [mistake for mistake in build.duplicates if len(items) == 1 or _holds(node, mistake)]
        reading.item(node, item, inside)
    return reading.result()


def _unfolded(root: Node, value: Any) -> Iterator[tuple[Node, Any]]:
    """The items of a `List`, as `kubectl get -o yaml` writes it; otherwise the document itself."""
    if isinstance(value, dict) and str(value.get("kind", "")).endswith("List") and isinstance(value.get("items"), list):
        nodes = next((node for key, node in root.value if key.value == "items"), None)
        if nodes is not None and len(nodes.value) == len(value["items"]):
            yield from zip(nodes.value, value["items"], strict=True)
            return
    yield root, value


def _holds(node: Node, mistake: TextError) -> bool:
    return bool(node.start_mark.line < mistake.line <= node.end_mark.line + 1)


class _Reading:
    """Collects what one document gives. Lives only inside `parse`."""

    def __init__(self, text: str, origin: Origin, kinds: KindSet) -> None:
        self.text, self.origin, self.kinds = text, origin, kinds
        self.objects: list[Object] = []
        self.diagnostics: list[Diagnostic] = []
        self.broken: list[tuple[Ref | None, Origin]] = []
        self.skipped: list[tuple[tuple[str, str], Origin]] = []

    def result(self) -> Parsed:
        return Parsed(
            self.origin.line, tuple(self.objects), tuple(self.diagnostics), tuple(self.broken), tuple(self.skipped)
        )

    def place(self, line: int, column: int) -> Origin:
        return Origin(self.origin.source, self.origin.file, self.origin.line + line - 1, column)

    def item(self, node: Node, value: Any, duplicates: list[TextError]) -> None:
        place = self.place(node.start_mark.line + 1, node.start_mark.column + 1)
        if not isinstance(value, dict):
            reason = f"a document is an object with apiVersion, kind and metadata; found {found_words(value)}"
            self.diagnostics.append(Diagnostic(NOT_AN_OBJECT, reason, place))
            self.broken.append((None, place))
            return
        kind = self._kind(node, value, place)
        if kind is None or kind.spec is None:
            return
        mistakes: list[Mistake] = []
        about = metadata.read(value.get("metadata"), kind, mistakes)
        ref = Ref(kind.group, kind.name, about.namespace, about.name)
        spec = _spec(kind, kind.spec, value, mistakes)
        _check_version(kind, value, mistakes)
        named = ref if about.name else None
        if spec is not None:
            self._report(node, named, (_unsupported(kind, part.field, part.reason) for part in spec.unsupported()))
        self._report(node, named, mistakes[:MOST])
        for twice in duplicates[:MOST]:
            at = self.place(twice.line, twice.column)
            self.diagnostics.append(Diagnostic(twice.code, twice.reason, at, named, (), twice.hint))
        if len(mistakes) > MOST or len(duplicates) > MOST:
            self._report(node, named, [Mistake(f"only the first {MOST} mistakes of this document are shown")])
        if mistakes or duplicates or spec is None:
            self.broken.append((named, place))
            return
        meta = Meta(about.labels, about.annotations, about.created, about.generation, place)
        self.objects.append(Object(ref, meta, spec, _own_text(self.text, node)))

    def _report(self, node: Node, ref: Ref | None, mistakes: Iterable[Mistake]) -> None:
        for mistake in mistakes:
            at = self.place(*position(node, mistake.field))
            self.diagnostics.append(Diagnostic(mistake.code, mistake.reason, at, ref, mistake.field, mistake.hint))

    def _kind(self, node: Node, value: dict[str, Any], place: Origin) -> Kind | None:
        """The kind of a document, or None with what is to be said already said."""
        if not any(key in value for key in ("apiVersion", "kind", "metadata", "spec")):
            self.skipped.append((("", ""), place))
            return None
        mistakes: list[Mistake] = []
        for name in ("apiVersion", "kind"):
            if name not in value:
                mistakes.append(
                    Mistake(f"'{name}' is missing", (name,), _missing_hint(name, value, self.kinds), MISSING_FIELD)
                )
            elif not isinstance(value[name], str):
                mistakes.append(Mistake(f"expected text, found {found_words(value[name])}", (name,), "", WRONG_TYPE))
        if mistakes:
            self._report(node, None, mistakes)
            self.broken.append((None, place))
            return None
        group = value["apiVersion"].rpartition("/")[0]
        kind = self.kinds.get(group, value["kind"])
        if kind is None:
            self._stranger(node, group, value["kind"], place)
        elif kind.registered:
            reason = f"an {kind.name} is what a registry says; this document has no effect"
            self._report(node, None, [Mistake(reason, ("kind",), kind.registered, REGISTERED_KIND)])
        elif kind.spec is None:
            reason = f"{kind.name} is not supported yet; this document has no effect"
            self._report(node, None, [Mistake(reason, ("kind",), "", UNSUPPORTED_KIND)])
        return kind

    def _stranger(self, node: Node, group: str, name: str, place: Origin) -> None:
        mistake = _unknown_kind(group, name, self.kinds)
        if mistake is None:
            self.skipped.append(((group, name), place))
            return
        self._report(node, None, [mistake])
        self.broken.append((None, place))


def _unknown_kind(group: str, name: str, kinds: KindSet) -> Mistake | None:
    """A kind that we should know, or that was probably meant to be one of ours; None for other programs' kinds."""
    groups = {kind.group for kind in kinds.kinds.values()}
    if group in groups - {CORE, DISCOVERY}:
        names = [kind.name for kind in kinds.kinds.values() if kind.group == group and not kind.registered]
        meant = nearest(name, names)
        elsewhere = next((kind for kind in kinds.kinds.values() if kind.name == name), None)
        if elsewhere is not None:
            return Mistake(
                f"{group} has no kind '{name}'",
                ("apiVersion",),
                f"write 'apiVersion: {elsewhere.api_version}'",
                UNKNOWN_KIND,
            )
        hint = f"did you mean '{meant}'?" if meant else f"kinds of this group: {', '.join(sorted(names))}"
        return Mistake(f"{group} has no kind '{name}'", ("kind",), hint, UNKNOWN_KIND)
    for kind in kinds.kinds.values():
        # `networking.k8s.io` for `gateway.networking.k8s.io`, or no group at all; not Istio's or Knative's own kinds.
        near = group == CORE or SequenceMatcher(None, group, kind.group).ratio() >= 0.8
        if kind.name == name and kind.group not in (CORE, DISCOVERY) and near:
            reason = f"'{group}' is not the group of {name}" if group else f"{name} does not belong to the core group"
            return Mistake(reason, ("apiVersion",), f"write 'apiVersion: {kind.api_version}'", UNKNOWN_KIND)
    if group == CORE:
        meant = nearest(name, [kind.name for kind in kinds.kinds.values() if kind.group == CORE])
        if meant and meant != name and SequenceMatcher(None, name.lower(), meant.lower()).ratio() >= 0.88:
            return Mistake(f"the core group has no kind '{name}'", ("kind",), f"did you mean '{meant}'?", UNKNOWN_KIND)
    return None


def _missing_hint(name: str, value: dict[str, Any], kinds: KindSet) -> str:
    if name == "apiVersion":
        known = next((kind for kind in kinds.kinds.values() if kind.name == value.get("kind")), None)
        return (
            f"add 'apiVersion: {known.api_version}'" if known else f"add 'apiVersion: {GATEWAY_API}/v1' or another one"
        )
    return "add 'kind:', for example 'kind: HTTPRoute'"


def _check_version(kind: Kind, value: dict[str, Any], mistakes: list[Mistake]) -> None:
    version = value["apiVersion"].rpartition("/")[2]
    if version not in kind.versions:
        reason = f"{kind.name} has no version '{version}'"
        mistakes.append(Mistake(reason, ("apiVersion",), f"write 'apiVersion: {kind.api_version}'", UNKNOWN_VERSION))


_ENVELOPE = frozenset({"apiVersion", "kind", "metadata", "status"})


def _spec(kind: Kind, cls: type[Spec], value: dict[str, Any], mistakes: list[Mistake]) -> Spec | None:
    prefix: Path = ()
    payload: Any
    if kind.top_level:
        payload = {key: item for key, item in value.items() if key not in _ENVELOPE}
    else:
        prefix = ("spec",)
        mistakes.extend(_misplaced(key, cls) for key in value if key not in _ENVELOPE and key != "spec")
        payload = value.get("spec")
    try:
        return cls.model_validate({} if payload is None else payload, by_alias=True, by_name=False)
    except ValidationError as error:
        if payload is None:
            mistakes.append(Mistake("'spec' is missing", prefix, "add 'spec:'", MISSING_FIELD))
            return None
        found = mistakes_of(error, cls, kind.secret)
        mistakes.extend(replace(mistake, field=prefix + mistake.field) for mistake in found)
    return None


def _misplaced(key: str, cls: type[Spec]) -> Mistake:
    if key in fields_at(cls, ()):
        mistake = unknown_field((key,), [])
        return replace(mistake, hint=f"'{key}' belongs under 'spec:'; check the indentation")
    return unknown_field((key,), sorted(_ENVELOPE | {"spec"}))


def _unsupported(kind: Kind, field: Path, reason: str) -> Mistake:
    return Mistake(reason, field if kind.top_level else ("spec", *field), "", UNSUPPORTED_FIELD)


def _own_text(text: str, node: Node) -> str:
    """The text of one object, its columns kept: padded where it starts within a line, as the items of a list do."""
    start = node.start_mark
    end = node.end_mark.index if isinstance(node, MappingNode) else len(text)
    return " " * start.column + text[start.index : end]
