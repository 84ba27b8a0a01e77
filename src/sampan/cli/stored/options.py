"""What `apply`, `diff` and `delete` take."""

from __future__ import annotations

from typing import Annotated

import typer

Files = Annotated[
    list[str] | None,
    typer.Option(
        "-f", "--file", metavar="PATH", show_default=False, help="A file, a folder, or - for stdin; repeatable."
    ),
]
Recursive = Annotated[bool, typer.Option("-R", "--recursive", help="Folders within folders too.")]
