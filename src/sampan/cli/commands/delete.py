"""`sampan delete`."""

from __future__ import annotations

from typing import Annotated

import typer

from sampan.cli import completion
from sampan.cli.commands.apply import DryRun
from sampan.cli.options import Namespace, ObjectName, Result, ResultOption
from sampan.cli.state import State
from sampan.cli.stored.options import Files, Recursive
from sampan.cli.stored.place import Consul

KindWord = Annotated[
    str,
    typer.Argument(
        metavar="[KIND]",
        show_default=False,
        help="Such as httproute, gtw, svc; or name documents with -f.",
        autocompletion=completion.kind_words,
    ),
]
IgnoreNotFound = Annotated[bool, typer.Option("--ignore-not-found", help="What is not there counts as deleted.")]


def command(
    kind: KindWord = "",
    name: ObjectName = "",
    namespace: Namespace = "default",
    files: Files = None,
    recursive: Recursive = False,
    dry_run: DryRun = False,
    ignore_not_found: IgnoreNotFound = False,
    form: ResultOption = Result.NAME,
    consul: Consul = "",
    state: State = "",
) -> None:
    """Remove documents from that KV.

    By kind and name, or those that files hold.
    """
    from sampan.cli.stored import doing

    settings = doing.Settings(consul, state, form, dry_run)
    doing.delete(doing.wanted(kind, name, namespace, files or [], recursive), ignore_not_found, settings)
