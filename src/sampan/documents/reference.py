"""The reference pages, one for each kind, in Markdown, out of the classes' own words. Pure: `sampan.cli.reference`
writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from sampan.documents.attribute_docs import attribute_docs, class_doc
from sampan.documents.kinds.kind_set import Kind, KindSet
from sampan.documents.kinds.scalars import WORDS
from sampan.documents.schema import SchemaWithoutWarnings, classes
from sampan.documents.words import choices, model_of

NO_LINKS: Mapping[str, str] = MappingProxyType({})


def pages(kinds: KindSet, more: Mapping[str, str] = NO_LINKS) -> dict[str, str]:
    """File name → Markdown. `more`: kind → a line of Markdown at the end of its page."""
    known = (kind for kind in kinds.kinds.values() if kind.spec is not None)
    return {f"{kind.name}.md": page(kind, more.get(kind.name, "")) for kind in known}


def table(kinds: KindSet) -> Sequence[str]:
    """The kinds with their first sentences, and below it those that are not supported yet."""
    known = sorted(
        (kind for kind in kinds.kinds.values() if kind.spec is not None), key=lambda kind: (kind.group, kind.name)
    )
    rows = [f"| [{kind.name}]({kind.name}.md) | `{kind.api_version}` | {_first_sentence(kind)} |" for kind in known]
    later = sorted(f"`{kind.name}`" for kind in kinds.kinds.values() if kind.spec is None and not kind.registered)
    lines = ["| kind | apiVersion | what it says |", "|---|---|---|", *rows, ""]
    return [*lines, f"Known and not supported yet: {', '.join(later)}.", ""] if later else lines


def _first_sentence(kind: Kind) -> str:
    text = " ".join(class_doc(kind.spec).split("\n\n")[0].split()) if kind.spec else ""
    return text.split(". ")[0].rstrip(".:") + "."


def page(kind: Kind, more: str = "") -> str:
    """One kind: its docstring, a table for each object in it, and `more`."""
    if kind.spec is None:
        raise ValueError(f"{kind.name} is not supported yet")
    versions = ", ".join(f"`{kind.group}/{v}`" if kind.group else f"`{v}`" for v in kind.versions)
    where = "of the document itself" if kind.top_level else "`spec`"
    lines = [f"# {kind.name}", "", f"apiVersion: {versions}", "", class_doc(kind.spec), ""]
    for cls in classes(kind.spec):
        if cls is kind.spec:
            lines += [f"## Fields {where}" if kind.top_level else f"## {where}", ""]
        else:
            lines += [f"## {cls.__name__}", "", class_doc(cls), ""]
        lines += _table(cls)
    return "\n".join([*lines, more]).rstrip("\n") + "\n"


def _table(cls: type[BaseModel]) -> list[str]:
    if not cls.model_fields:
        return []
    texts = attribute_docs(cls)
    schema = cls.model_json_schema(by_alias=True, schema_generator=SchemaWithoutWarnings)
    rows = []
    for name, field in cls.model_fields.items():
        about = schema["properties"].get(field.alias, {})
        cells = (f"`{field.alias}`", _type(field.annotation, about), _default(field), texts.get(name, ""))
        rows.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return ["| field | type | default | |", "|---|---|---|---|", *rows, ""]


def _type(annotation: Any, about: dict[str, Any]) -> str:
    """In words: `list of Listener (1 to 64)`, `number (1 to 65535)`, one of the allowed texts."""
    about = next((part for part in about.get("anyOf", ()) if part.get("type") != "null"), about)
    model = model_of(annotation)
    if model is not None:
        return f"[{model.__name__}](#{model.__name__.lower()})"
    kind = about.get("type")
    if kind == "array":
        argument = next((choice.__args__[0] for choice in choices(annotation) if hasattr(choice, "__args__")), None)
        return f"list of {_type(argument, about.get('items', {}))}{_bounds(about, 'minItems', 'maxItems')}"
    if kind == "object":
        return "map of text"
    if "enum" in about or "const" in about:
        return " or ".join(f"`{value}`" for value in about.get("enum", [about.get("const")]))
    if kind in ("integer", "number"):
        return f"number{_bounds(about, 'minimum', 'maximum')}"
    if kind == "string":
        return WORDS.get(about.get("pattern", ""), "text")
    return {"boolean": "true or false"}.get(str(kind), "any")


def _bounds(about: dict[str, Any], low: str, high: str) -> str:
    least, most = about.get(low), about.get(high)
    if least is not None and most is not None:
        return f" ({least} to {most})" if least != most else f" ({least})"
    return f" (at most {most})" if most is not None else f" (at least {least})" if least is not None else ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**needed**"
    default = field.default
    if default is None or default == "" or default == () or default == {}:
        return ""
    if isinstance(default, tuple | BaseModel):
        return "see its fields"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default}`"
