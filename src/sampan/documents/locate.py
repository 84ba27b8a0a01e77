"""A field's line and column. Nothing is kept for this: the text is composed again when a diagnostic needs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from yaml import MappingNode, Node, ScalarNode, SequenceNode

from sampan.documents.yaml_text import TextError, compose
from sampan.model.diagnostic import Diagnostic, FieldPath
from sampan.model.meta import Object, Origin
from sampan.model.names import Ref


def position(root: Node, path: FieldPath) -> tuple[int, int]:
    """Line and column, from 1, of the field at `path`: of its key, or of the item in a list. If the field is not there,
    those of the nearest object or list around it that is."""
    mark = root.start_mark
    node: Node | None = root
    for part in path:
        if isinstance(part, int):
            if not isinstance(node, SequenceNode) or not 0 <= part < len(node.value):
                break
            node = node.value[part]
            mark = node.start_mark
        else:
            found = _entry(node, part)
            if found is None:
                break
            key, node = found
            mark = key.start_mark
    return mark.line + 1, mark.column + 1


def _entry(node: Node | None, name: str, depth: int = 0) -> tuple[Node, Node] | None:
    """The key and value nodes of an entry, merged ones (`<<`) included."""
    if not isinstance(node, MappingNode):
        return None
    merged: list[Node] = []
    for key, value in node.value:
        if isinstance(key, ScalarNode):
            if key.value == name:
                return key, value
            if key.value == "<<":
                merged += value.value if isinstance(value, SequenceNode) else [value]
    if depth < 8:
        for source in merged:
            if found := _entry(source, name, depth + 1):
                return found
    return None


def find(text: str, path: FieldPath) -> tuple[int, int]:
    """`position` in a text that was read before; (1, 1) if it cannot be read by itself (an alias to another part)."""
    return positions(text, [path])[0]


def positions(text: str, paths: Iterable[FieldPath]) -> list[tuple[int, int]]:
    try:
        root = compose(text)
    except TextError:
        root = None
    return [position(root, path) if root is not None else (1, 1) for path in paths]


def located(
    diagnostics: Iterable[Diagnostic], objects: Mapping[Ref, Object], places: Mapping[Ref, Origin] | None = None
) -> tuple[Diagnostic, ...]:
    """The diagnostics with the lines of their fields. `objects` hold the texts (a Snapshot's `objects`), `places` where
    each document starts now: it may have moved in its file without being read again. A diagnostic whose origin is not
    that of its object (it was located when the document was read) stays as it is."""
    places = places or {}
    result = list(diagnostics)
    by_ref: dict[Ref, list[int]] = {}
    for index, diagnostic in enumerate(result):
        item = objects.get(diagnostic.object) if diagnostic.object is not None else None
        if item is not None and diagnostic.origin == item.meta.origin:
            by_ref.setdefault(item.ref, []).append(index)
    for ref, indexes in by_ref.items():
        item = objects[ref]
        start = places.get(ref, item.meta.origin)
        found = positions(item.text, (result[index].field for index in indexes)) if item.text else []
        for index, (line, column) in zip(indexes, found, strict=False):
            result[index] = result[index].at(replace(start, line=start.line + line - 1, column=column))
    return tuple(result)
