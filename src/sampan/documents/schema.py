"""JSON Schema for every kind, for editors and other tools, out of the classes that read the documents.

Rules over several fields are not in it: JSON Schema could not give their reasons.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from sampan.documents.attribute_docs import attribute_docs, class_doc
from sampan.documents.kinds.kind_set import Kind, KindSet
from sampan.documents.kinds.scalars import LABEL_KEY_PATTERN, NAME_PATTERN, NAMESPACE_PATTERN
from sampan.documents.words import choices

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

_STRINGS = {
    "type": "object",
    "additionalProperties": {"type": "string"},
    "propertyNames": {"pattern": LABEL_KEY_PATTERN},
}
_METADATA: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "pattern": NAME_PATTERN, "maxLength": 253},
        "namespace": {"type": "string", "pattern": NAMESPACE_PATTERN, "maxLength": 63, "default": "default"},
        "labels": _STRINGS,
        "annotations": _STRINGS,
        "creationTimestamp": {"type": "string", "format": "date-time"},
        "generation": {"type": "integer", "minimum": 0},
    },
}


class SchemaWithoutWarnings(GenerateJsonSchema):
    """Defaults that are objects of ours have no JSON form; they are told in the text instead."""

    ignored_warning_kinds = {"non-serializable-default", "skipped-choice"}  # noqa: RUF012 - as the parent has it


def kind_schema(kind: Kind) -> dict[str, Any]:
    """The schema of whole documents of a kind; ValueError for one without a class."""
    if kind.spec is None:
        raise ValueError(f"{kind.name} is not supported yet")
    body = kind.spec.model_json_schema(
        by_alias=True, schema_generator=SchemaWithoutWarnings, ref_template="#/$defs/{model}"
    )
    definitions = body.pop("$defs", {})
    for cls in classes(kind.spec):
        _describe(body if cls is kind.spec else definitions.get(cls.__name__, {}), cls)
    versions = [f"{kind.group}/{version}" if kind.group else version for version in kind.versions]
    properties: dict[str, Any] = {
        "apiVersion": {"enum": versions},
        "kind": {"const": kind.name},
        "metadata": _METADATA,
        "status": {"type": "object"},
    }
    required = ["apiVersion", "kind", "metadata"]
    if kind.top_level:
        properties |= body["properties"]
        required += body.get("required", [])
    else:
        properties["spec"] = body
        required += ["spec"] if body.get("required") else []
    return {
        "$schema": _DIALECT,
        "title": kind.name,
        "description": class_doc(kind.spec),
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": properties,
        "$defs": definitions,
    }


def schema(kinds: KindSet) -> dict[str, Any]:
    """One schema for any document: editors take it for `*.yaml`."""
    known = sorted((kind for kind in kinds.kinds.values() if kind.spec is not None), key=lambda kind: kind.key)
    definitions: dict[str, Any] = {}
    branches = []
    for kind in known:
        whole = kind_schema(kind)
        definitions |= whole.pop("$defs")
        whole.pop("$schema")
        definitions[f"document.{kind.name}"] = whole
        chosen = {"properties": {"kind": {"const": kind.name}, "apiVersion": whole["properties"]["apiVersion"]}}
        branches.append({"if": chosen, "then": {"$ref": f"#/$defs/document.{kind.name}"}})
    return {
        "$schema": _DIALECT,
        "title": "Documents of Sampan",
        "type": "object",
        "allOf": branches,
        "$defs": definitions,
    }


def classes(spec: type[BaseModel]) -> list[type[BaseModel]]:
    """The class of a kind and all classes in it, in reading order."""
    found = [spec]
    for cls in found:
        for field in cls.model_fields.values():
            found += [inner for inner in _models_in(field.annotation) if inner not in found]
    return found


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    result: list[type[BaseModel]] = []
    for choice in choices(annotation):
        if isinstance(choice, type) and issubclass(choice, BaseModel):
            result.append(choice)
        for argument in getattr(choice, "__args__", ()):
            result += _models_in(argument)
    return result


def _describe(properties_of: dict[str, Any], cls: type[BaseModel]) -> None:
    texts = attribute_docs(cls)
    properties_of["description"] = class_doc(cls)
    for name, field in cls.model_fields.items():
        entry = properties_of.get("properties", {}).get(field.alias)
        if entry is not None and name in texts:
            entry["description"] = texts[name]
