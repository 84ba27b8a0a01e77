"""`sampan apply`."""

from __future__ import annotations

from typing import Annotated

import typer

from sampan.cli.options import Result, ResultOption
from sampan.cli.state import State
from sampan.cli.stored.options import Files, Recursive
from sampan.cli.stored.place import Consul

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
Secrets = Annotated[bool, typer.Option("--secrets", help="Store Secrets too: who may read the KV can read them.")]


def command(
    files: Files = None,
    recursive: Recursive = False,
    dry_run: DryRun = False,
    secrets: Secrets = False,
    form: ResultOption = Result.NAME,
    consul: Consul = "",
    state: State = "",
) -> None:
    """Store documents in the KV of the registry or of Consul.

    Control planes take them up from there. All mistakes are told at once, and with any error nothing is stored.
    """
    from sampan.cli.stored import doing

    doing.apply(files or [], recursive, doing.Settings(consul, state, form, dry_run, secrets))
