"""`sampan down`."""

from __future__ import annotations

from typing import Annotated

import typer

from sampan.cli import state as states
from sampan.cli.output import busy, tell
from sampan.cli.state import State


def command(
    timeout: Annotated[float, typer.Option("--timeout", metavar="SECONDS", min=0, help="How long to wait.")] = 60.0,
    state: State = "",
) -> None:
    """Stop the running Sampan: requests in flight finish first."""
    from sampan.cli import running
    from sampan.cli.api import NotRunningError

    folder = states.folder(state)
    with busy("requests in flight finish"):
        stopped = running.stop(folder, timeout)
    if not stopped:
        raise NotRunningError(folder)
    tell("stopped")
