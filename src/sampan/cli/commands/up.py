"""`sampan up`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from sampan.cli import state as states
from sampan.cli.discovery import Consul, Datacenters, Discovery, Registry, RegistryDns, TokenFile, discovery
from sampan.cli.launch import Launch
from sampan.cli.options import LogLevel
from sampan.cli.output import tell
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
    registry: Registry = "",
    registry_dns: RegistryDns = "",
    consul: Consul = "",
    consul_datacenter: Datacenters = None,
    consul_token_file: TokenFile = "",
    state: State = "",
) -> None:
    """Run the gateways of the documents, and a registry. Ctrl-C drains and ends them.

    Stays in the foreground, and takes up what changes in the files and in the registry.
    """
    folder = states.folder(state)
    found = discovery(registry, registry_dns, consul, consul_datacenter or (), consul_token_file)
    paths = checked(files or [], found)
    binary = find_envoy(envoy)
    states.prepare(folder)
    refuse_second(folder)
    make_room(folder, found)
    if not paths:
        tell("no files are named: documents come from the registry's KV, where `sampan apply -f PATH` puts them")
    arguments = Launch(folder, paths, binary, found, drain_seconds, concurrency, log_level).command_line()
    sys.stdout.flush()
    sys.stderr.flush()
    # The supervisor takes our place: it is slim, and signals of the terminal or of systemd reach it directly.
    os.execv(arguments[0], arguments)


def checked(files: Sequence[Path], found: Discovery) -> list[Path]:
    """The paths, absolute. Raises UserError for one that is not there, or if documents can come from nowhere."""
    if not files and not found.any:
        reason = "there are no documents, and there is no registry that could have some"
        raise UserError(reason, "name files or folders with -f PATH", exit_code=USAGE)
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


def make_room(folder: Path, found: Discovery, *, needed: bool = False) -> None:
    """For a registry. Raises UserError if another program is where it is to listen."""
    from sampan.cli import occupied
    from sampan.cli.output import warn
    from sampan.registry import place

    occupied.refuse_taken(found, needed=needed)
    # Of one that was killed with all the rest: whoever looks there now would be sent to nobody.
    (folder / place.FILE).unlink(missing_ok=True)
    if found.warning and not needed:  # whoever needs its own sends its clients there by itself
        warn(found.warning)
