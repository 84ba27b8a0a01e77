"""`sampan diff`."""

from __future__ import annotations

import typer

from sampan.cli.options import Format, FormatOption
from sampan.cli.problem import FAILED, USAGE, UserError
from sampan.cli.state import State
from sampan.cli.stored.options import Files, Recursive
from sampan.cli.stored.place import Consul


def command(
    files: Files = None,
    recursive: Recursive = False,
    form: FormatOption = Format.TEXT,
    consul: Consul = "",
    state: State = "",
) -> None:
    """Show what `sampan apply` would change.

    Exits 0 if nothing differs, 1 if something does, 2 if that cannot be said. What Secrets hold is masked.
    """
    from sampan.cli.stored import doing

    try:
        differs = doing.diff(files or [], recursive, form, doing.Settings(consul, state))
    except UserError as error:
        raise UserError(error.reason, error.hint, exit_code=USAGE) from error
    if differs:
        raise typer.Exit(FAILED)
