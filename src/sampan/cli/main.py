"""The entry point: maps the name of a command to its module, and an exception to `error:` and `hint:` lines."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from types import MappingProxyType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from sampan.cli.output import complain, say
from sampan.cli.problem import USAGE, UserError

# The order here is the order of `sampan --help`.
SECTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Run": ("demo", "up", "down"),
        "Documents": ("check", "compile", "apply", "diff", "delete"),
        "Look": ("get", "describe", "proxies", "config"),
        "Other": ("version",),
    }
)
COMMANDS = tuple(name for names in SECTIONS.values() for name in names)
HELP_OPTIONS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class LazyGroup(TyperGroup):
    """Imports the module of a command when the command is asked for, and not before."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"sampan.cli.commands.{cmd_name}")
        single = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=HELP_OPTIONS)
        single.command(cmd_name)(module.command)
        return get_command(single)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if name in COMMANDS or name.startswith("-"):
            return super().resolve_command(ctx, args)
        near = get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean `sampan {near[0]}`?" if near else "`sampan --help` lists the commands"
        raise UserError(f"there is no command {name!r}", hint, exit_code=USAGE)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for title, names in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, self.get_command(ctx, name).get_short_help_str(80)) for name in names])

    def main(self, *args: Any, **extra: Any) -> Any:
        """As Typer's, but every user's mistake is an `error:` line, never a traceback or a panel."""
        try:
            code = super().main(*args, **{**extra, "standalone_mode": False})
        except UserError as error:
            complain(error.reason, error.hint)
            code = error.exit_code
        except Exception as problem:
            code = _usage(problem)
        sys.exit(code if isinstance(code, int) else 0)


def _usage(problem: Exception) -> int:
    """What Typer has to say about the command line. It has no public name for the class of these exceptions."""
    wording = getattr(problem, "format_message", None)
    if wording is None:
        raise problem
    context = getattr(problem, "ctx", None)
    hint = f"`{context.command_path} --help` shows how to call it" if context is not None else ""
    message = wording().strip().rstrip(".")
    complain(message[:1].lower() + message[1:], hint)
    return USAGE


def _print_version(wanted: bool) -> None:
    if wanted:
        from sampan.cli.commands.version import line

        say(line())
        raise typer.Exit


app = typer.Typer(
    name="sampan",
    cls=LazyGroup,
    invoke_without_command=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=HELP_OPTIONS,
)


@app.callback()
def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """A service mesh and API gateway: Python decides, Envoy and the kernel carry."""
    if context.invoked_subcommand is None:
        say(context.get_help())


def main() -> None:
    """`sampan`, as installed."""
    get_command(app)(prog_name="sampan")
