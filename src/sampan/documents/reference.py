"""The reference pages, one for each kind, in Markdown, out of the classes' own words.

`python -m sampan.documents.reference docs/reference` writes those of the built-in kinds; `pages` is pure.
"""

from __future__ import annotations

import sys
from pathlib import Path as FilePath
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from sampan.documents.attribute_docs import attribute_docs, class_doc
from sampan.documents.kinds.built_in import BUILT_IN
from sampan.documents.kinds.kind_set import Kind, KindSet
from sampan.documents.kinds.scalars import WORDS
from sampan.documents.schema import SchemaWithoutWarnings, classes
from sampan.documents.words import choices, model_of


def pages(kinds: KindSet) -> dict[str, str]:
    """File name → Markdown, with an index of all kinds under `README.md`."""
    known = sorted(
        (kind for kind in kinds.kinds.values() if kind.spec is not None), key=lambda kind: (kind.group, kind.name)
    )
    result = {f"{kind.name}.md": page(kind) for kind in known}
    rows = [f"| [{kind.name}]({kind.name}.md) | `{kind.api_version}` | {_first_sentence(kind)} |" for kind in known]
    later = [f"`{kind.name}`" for kind in kinds.kinds.values() if kind.spec is None]
    index = [
        "# Reference",
        "",
        "Made from the classes that read the documents. Every field that is not here is refused.",
        "",
    ]
    index += ["| kind | apiVersion | what it says |", "|---|---|---|", *rows, ""]
    if later:
        index += [f"Known and not supported yet: {', '.join(sorted(later))}.", ""]
    result["README.md"] = "\n".join(index)
    return result


def _first_sentence(kind: Kind) -> str:
    text = " ".join(class_doc(kind.spec).split("\n\n")[0].split()) if kind.spec else ""
    return text.split(". ")[0].rstrip(".:") + "."


def page(kind: Kind) -> str:
    """One kind: its docstring, then a table for each object in it."""
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
    return "\n".join(lines).rstrip("\n") + "\n"


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


def write(folder: FilePath, kinds: KindSet = BUILT_IN) -> list[str]:
    """Writes all pages and removes none. Returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    made = pages(kinds)
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")
    return sorted(made)


if __name__ == "__main__":
    for written in write(FilePath(sys.argv[1] if len(sys.argv) > 1 else "docs/reference")):
        print(written)
