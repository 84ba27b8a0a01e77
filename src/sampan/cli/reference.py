"""The reference pages in `docs/reference`: kinds, policies, diagnostics, commands. `python -m sampan.cli.reference
docs/reference` writes them all; a test holds the committed ones against `pages`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from enum import EnumType
from importlib import import_module
from inspect import Parameter, getdoc, signature
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

from typer.models import ArgumentInfo, OptionInfo

from sampan.cli.main import SECTIONS
from sampan.documents import reference
from sampan.documents.kinds.built_in import BUILT_IN
from sampan.model import codes
from sampan.policies import discover, document_kinds

RANGES: Mapping[str, str] = MappingProxyType(
    {
        "01": "Documents: what is written",
        "02": "Sources: where documents come from",
        "03": "Resolving: what documents mean together (the Gateway API's rules)",
        "04": "Policies",
        "05": "What Envoy said",
        "06": "Processes and the machine",
    }
)


def pages() -> dict[str, str]:
    """File name → Markdown."""
    ours = [kind for kind in discover() if kind.spec.__module__.startswith("sampan.")]
    kinds = BUILT_IN.with_kinds(document_kinds(ours))
    more = {kind.kind: _policy_note(kind.spec.__module__.split(".")[-2]) for kind in ours}
    index = [
        "# Reference",
        "",
        "Made from the classes that read the documents by `python -m sampan.cli.reference docs/reference`.",
        "Every field that is not here is refused.",
        "",
        *reference.table(kinds),
        "Also: [diagnostics](diagnostics.md), the codes of all mistakes; [commands](commands.md), the command line.",
        "",
    ]
    return {
        **reference.pages(kinds, more),
        "README.md": "\n".join(index),
        "diagnostics.md": "\n".join(_diagnostics()),
        "commands.md": "\n".join(_commands()),
    }


def _policy_note(folder: str) -> str:
    return (
        f"Examples, what is shipped and why: [the policy's own page](../../src/sampan/policies/{folder}/README.md). "
        "Where it may be attached and who wins: [policies](../policies.md)."
    )


# ---- diagnostics


def _diagnostics() -> Iterator[str]:
    yield from ("# Diagnostics", "")
    yield "Every mistake has a code, a file with line and column, a field, a reason and mostly a hint. An error makes"
    yield "`sampan check` exit 1; a warning does so with `--strict`. A mistake harms only the object that has it:"
    yield "[what stays in force](../last-good.md)."
    yield ""
    for prefix, title in RANGES.items():
        found = [code for code in codes.catalogue() if code.id.startswith(f"SMP{prefix}")]
        yield from (f"## {title}", "", "| code | mistake | |", "|---|---|---|")
        yield from (f"| {code.id} | {code.title} | {code.severity} |" for code in found)
        yield ""


# ---- the command line


def _commands() -> Iterator[str]:
    yield from ("# Commands", "")
    yield "Data goes to stdout and words to stderr. Exit status: 0; 1 for mistakes found, or failed; 2 for wrong usage."
    yield from ("`sampan COMMAND --help` says the same in the terminal.", "")
    for title, names in SECTIONS.items():
        yield from (f"## {title}", "")
        for name in names:
            yield from _command(name, import_module(f"sampan.cli.commands.{name}").command)


def _command(name: str, function: Callable[..., None]) -> Iterator[str]:
    """Out of the function's signature, where every parameter is annotated with what Typer makes of it."""
    found = [
        (param, *get_args(param.annotation)[:2]) for param in signature(function, eval_str=True).parameters.values()
    ]
    arguments = [(_argument(param, about), about.help) for param, _, about in found if isinstance(about, ArgumentInfo)]
    options = [
        (_option(about, kind), _about(about, param.default))
        for param, kind, about in found
        if isinstance(about, OptionInfo)
    ]
    usage = " ".join(("sampan", name, *(argument for argument, _ in arguments), "[OPTIONS]"))
    yield from (f"### sampan {name}", "", f"    {usage}", "", getdoc(function) or "", "", "| | |", "|---|---|")
    for left, right in (*arguments, *options):
        if right:
            yield f"| `{_cell(left)}` | {_cell(right)} |"
    yield ""


def _argument(param: Parameter, about: ArgumentInfo) -> str:
    return about.metavar or param.name.upper()


def _option(about: OptionInfo, kind: Any) -> str:
    """`-o, --output text|json|yaml`. Typer keeps the first name that it is given in `default`."""
    names = ", ".join(name for name in (about.default, *(about.param_decls or ())) if isinstance(name, str))
    choices = next(("|".join(part) for part in (kind, *get_args(kind)) if isinstance(part, EnumType)), "")
    value = about.metavar or choices or ("" if kind is bool else "NAME")
    return f"{names} {value}".rstrip()


def _about(about: OptionInfo, default: Any) -> str:
    shown = about.show_default and not isinstance(default, bool) and default not in (None, "")
    number = f"{default:g}" if isinstance(default, float) else str(default)
    variable = f" Also `${about.envvar}`." if about.envvar else ""
    return f"{about.help}{f' Default: `{number}`.' if shown else ''}{variable}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def write(folder: Path) -> None:
    """Writes all pages, and removes those that nobody makes any more."""
    folder.mkdir(parents=True, exist_ok=True)
    made = pages()
    for old in folder.glob("*.md"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
