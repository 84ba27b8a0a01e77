"""The text that is kept: the user's own, with what an API server would add. Pure.

`metadata.creationTimestamp` is when the document was first applied, `metadata.generation` counts changes beyond its
metadata (`docs/decisions/0009-documents-in-kv.md`). They are put into the user's text, which keeps its comments and its
form; only where that cannot be done is it written anew.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from functools import lru_cache
from textwrap import dedent
from typing import Any

from yaml import MappingNode, Node

from sampan.documents.kinds.secret import FILES_PREFIX, ConfigMap, Secret
from sampan.documents.render import to_yaml
from sampan.documents.yaml_text import Build, TextError, compose
from sampan.model.meta import Object
from sampan.sources.files.convert import file_references

Value = dict[str, Any]

# What a server says of an object and no user means: `sampan get -o yaml | sampan apply -f -` brings it along.
_SERVERS = ("uid", "resourceVersion", "selfLink", "managedFields", "ownerReferences", "generateName")


@dataclass(frozen=True, slots=True)
class Stamp:
    """ "" and 0 where there is none."""

    created: str = ""
    generation: int = 0


@lru_cache(maxsize=8)  # each text is asked for several times in a row
def value_of(text: str) -> Value | None:
    """A document's text as plain values, not to be changed; None if it is none."""
    try:
        root = compose(text)
        value = Build(text).value(root) if root is not None else None
    except TextError:
        return None
    return value if isinstance(value, dict) else None


def stamp_of(value: Value) -> Stamp:
    metadata = value.get("metadata") or {}
    generation = metadata.get("generation", 0)
    return Stamp(str(metadata.get("creationTimestamp") or ""), generation if isinstance(generation, int) else 0)


def own_text(item: Object) -> str | None:
    """What of the user's document is kept, without stamps that are not the user's own. None if its text means nothing
    by itself: it refers to an anchor in another part of the file."""
    text = dedent(item.text).rstrip("\n") + "\n"
    value = value_of(text)
    if value is None:
        return None
    wanted = _without_servers(_filled(item, value))
    return text if wanted == value else to_yaml([wanted])


def version_of(item: Object) -> str:
    """`metadata.resourceVersion`: which version the user started from, "" if the document does not say."""
    metadata = (value_of(item.text) or {}).get("metadata") or {}
    return str(metadata.get("resourceVersion") or "")


def _filled(item: Object, value: Value) -> Value:
    """With the contents of the files that it names in the place of their names."""
    references = list(file_references(item))
    if not references or not isinstance(item.spec, Secret | ConfigMap):
        return value
    metadata = dict(value["metadata"])
    names = {FILES_PREFIX + reference.key for reference in references}
    metadata["annotations"] = {key: text for key, text in metadata["annotations"].items() if key not in names}
    if not metadata["annotations"]:
        del metadata["annotations"]
    field = "data" if isinstance(item.spec, Secret) else "binaryData"
    data = dict(value.get(field) or {})
    for reference in references:
        content = item.spec.value(reference.key)
        raw = content if isinstance(content, bytes) else content.reveal() if content is not None else b""
        data[reference.key] = base64.b64encode(raw).decode()
    # `stringData` would win over `data`, and a file wins over both.
    filled = {reference.key for reference in references}
    plain = {key: text for key, text in (value.get("stringData") or {}).items() if key not in filled}
    result = {**value, "metadata": metadata, field: data}
    return {key: plain if key == "stringData" else part for key, part in result.items()}


def _without_servers(value: Value) -> Value:
    metadata = {key: part for key, part in value["metadata"].items() if key not in _SERVERS}
    return {key: metadata if key == "metadata" else part for key, part in value.items() if key != "status"}


def stamped(text: str, stamp: Stamp) -> str:
    """The text with the parts of the stamp that it does not have itself."""
    value = value_of(text)
    if value is None:
        return text
    own = stamp_of(value)
    added: Value = {}
    if stamp.created and not own.created:
        added["creationTimestamp"] = stamp.created
    if stamp.generation and not own.generation:
        added["generation"] = stamp.generation
    if not added:
        return text
    wanted = {**value, "metadata": {**value["metadata"], **added}}
    result = _inserted(text, added)
    return result if value_of(result) == wanted else to_yaml([wanted])


def _inserted(text: str, added: Value) -> str:
    """As the first fields of `metadata`: lines of their own below it, or within the braces."""
    found = _metadata(compose(text))
    if found is None or not found[1].value:
        return text
    key, metadata = found
    first = metadata.value[0][0].start_mark
    if metadata.flow_style:
        quote = '"' if text[first.index] == '"' else ""
        pairs = "".join(f"{quote}{name}{quote}: {json.dumps(part)}, " for name, part in added.items())
        return text[: first.index] + pairs + text[first.index :]
    below = text.find("\n", key.end_mark.index) + 1
    lines = "".join(f"{' ' * first.column}{name}: {json.dumps(part)}\n" for name, part in added.items())
    return text[:below] + lines + text[below:]


def _metadata(root: Node | None) -> tuple[Node, MappingNode] | None:
    """The key and what it holds."""
    if not isinstance(root, MappingNode):
        return None
    found = ((key, value) for key, value in root.value if getattr(key, "value", None) == "metadata")
    return next(((key, value) for key, value in found if isinstance(value, MappingNode)), None)
