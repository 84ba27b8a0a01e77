"""`sampan up`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from sampan.cli import state as states
from sampan.cli.options import LogLevel
from sampan.cli.problem import USAGE, UserError
from sampan.cli.state import State

Files = Annotated[
    list[Path] | None,
    typer.Option("-f", "--file", metavar="PATH", show_default=False, help="A document, or a folder; repeatable."),
]
Envoy = Annotated[
    str, typer.Option("--envoy", metavar="PATH", show_default=False, help="An Envoy other than the packaged one.")
]
DrainSeconds = Annotated[
    float, typer.Option("--drain-seconds", metavar="N", min=0, help="At the end: how long requests may take to finish.")
]
Concurrency = Annotated[
    int | None, typer.Option("--concurrency", metavar="N", min=1, show_default=False, help="Envoy's worker threads.")
]
Level = Annotated[LogLevel, typer.Option("--log-level", help="Of Envoy's log.")]


def command(
    files: Files = None,
    envoy: Envoy = "",
    drain_seconds: DrainSeconds = 10.0,
    concurrency: Concurrency = None,
    log_level: Level = LogLevel.WARNING,
    state: State = "",
) -> None:
    """Run the gateways of the documents. Ctrl-C drains and ends them.

    Stays in the foreground, and takes up what changes in the files.
    """
    folder = states.folder(state)
    paths = checked(files or [])
    binary = find_envoy(envoy)
    states.prepare(folder)
    refuse_second(folder)
    arguments = command_line(folder, paths, binary, drain_seconds, concurrency, log_level)
    sys.stdout.flush()
    sys.stderr.flush()
    # The supervisor takes our place: it is slim, and signals of the terminal or of systemd reach it directly.
    os.execv(arguments[0], arguments)


def checked(files: Sequence[Path]) -> list[Path]:
    """The paths, absolute. Raises UserError for one that is not there."""
    if not files:
        raise UserError("there are no documents", "name files or folders with -f PATH", exit_code=USAGE)
    for path in files:
        if not path.exists():
            raise UserError(f"there is no {path}", "check the path given with -f", exit_code=USAGE)
        if not os.access(path, os.R_OK):
            raise UserError(f"{path} cannot be read by this user", f"`ls -ld {path}` shows who may", exit_code=USAGE)
    return [Path(os.path.abspath(path)) for path in files]


def find_envoy(override: str) -> Path:
    from sampan.proxy import binary

    try:
        return binary.find(override or None)
    except binary.EnvoyMissingError as error:
        reason, _, hint = str(error).partition(": ")
        raise UserError(reason, hint) from error


def refuse_second(folder: Path) -> None:
    from sampan.cli import running

    pid = running.supervisor_pid(folder)
    if pid is not None:
        raise UserError(
            f"a Sampan is already running at {folder} (pid {pid})",
            "stop it with `sampan down`, or choose another folder with --state DIR",
        )


def command_line(
    folder: Path, files: Sequence[Path], envoy: Path, drain_seconds: float, concurrency: int | None, log_level: str
) -> list[str]:
    """The supervisor's, which starts the control plane as Envoy's sibling."""
    import json

    replay = [*_module("sampan.xds.replay"), "--runtime", str(folder)]
    supervisor = ["--runtime", str(folder), "--envoy", str(envoy), "--envoy-log-level", str(log_level)]
    supervisor += ["--drain-seconds", str(drain_seconds), "--replay-command", json.dumps(replay)]
    control = ["--runtime", str(folder), "--envoy", str(envoy)]
    control += [part for path in files for part in ("--file", str(path))]
    control += ["--concurrency", str(concurrency)] if concurrency else []
    return [*_module("sampan.proxy.supervisor"), *supervisor, "--", *_module("sampan.daemon"), *control]


def _module(name: str) -> list[str]:
    """-P: a file json.py in the user's folder is not the json that we mean."""
    return [sys.executable, "-P", "-m", name]
