"""`sampan check`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sampan.cli import output
from sampan.cli.options import Format, FormatOption, Paths, Registered
from sampan.cli.problem import FAILED

Strict = Annotated[bool, typer.Option("--strict", help="Exit 1 for warnings too.")]


def command(
    paths: Paths, strict: Strict = False, registered: Registered = None, form: FormatOption = Format.TEXT
) -> None:
    """Find every mistake in documents, offline.

    Exits 1 if there is an error. Reads files, and all files below folders; what they refer to must be among them, or
    registered (--registered).
    """
    with output.busy("reading the documents"):
        from sampan.cli.reading import read
        from sampan.model.diagnostic import record

        reading = read(paths, registered or ())
    records = [record(item) for item in reading.diagnostics]
    errors, warnings = output.counts(records)
    objects = len(reading.snapshot.objects)
    if form is not Format.TEXT:
        counted = {"errors": errors, "warnings": warnings, "objects": objects, "files": reading.files}
        output.emit({"items": records, **counted}, form)
    elif records:
        output.say(output.render_diagnostics(records, sys.stdout))
    place = f"{output.plural(objects, 'object')} of {output.plural(reading.files, 'file')}"
    output.tell(f"{output.mistakes_text(errors, warnings)} in {place}")
    if errors or (strict and warnings):
        raise typer.Exit(FAILED)
