"""Where a running Sampan keeps its sockets and what must survive it: one folder that only its user can open."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Annotated

import typer

from sampan.cli.problem import USAGE, UserError

VARIABLE = "SAMPAN_STATE"

State = Annotated[
    str,
    typer.Option(
        "--state",
        envvar=VARIABLE,
        metavar="DIR",
        show_default=False,
        help="Folder of the running Sampan. [default: $XDG_RUNTIME_DIR/sampan or ~/.local/state/sampan]",
    ),
]


def folder(state: str) -> Path:
    """The state folder, absolute: `--state` or $SAMPAN_STATE if given, else the user's own. Raises UserError."""
    chosen = Path(os.path.abspath(Path(state).expanduser())) if state else _default()
    _check_length(chosen)
    return chosen


def _default() -> Path:
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    # Set, but not there: `su` and `sudo` hand on the variable of a user who is not logged in.
    if runtime and os.access(runtime, os.W_OK):
        return Path(runtime) / "sampan"
    # https://specifications.freedesktop.org/basedir-spec: what should persist between restarts.
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "sampan"


def _check_length(chosen: Path) -> None:
    from sampan.proxy import paths

    if paths.too_long(chosen):
        raise UserError(
            f"the state folder {chosen} has a path of {len(os.fsencode(chosen))} bytes: "
            "too long for the sockets that go into it",
            f"choose a shorter one with --state DIR or ${VARIABLE}, for example --state /tmp/sampan-{os.getuid()}",
            exit_code=USAGE,
        )


def prepare(chosen: Path) -> None:
    """Makes the folder, open to its user alone. Raises UserError if it is someone else's, or a link of someone else's,
    or open to others."""
    try:
        for folder in (*reversed(chosen.parents), chosen):
            if not folder.exists():
                folder.mkdir(mode=0o700, exist_ok=True)  # not parents=True: that leaves the mode to the umask
        found, link = chosen.stat(), chosen.lstat()
    except OSError as error:
        raise UserError(
            f"the state folder {chosen} cannot be made: {error.strerror}", "choose another one with --state DIR"
        ) from error
    if {found.st_uid, link.st_uid} != {os.geteuid()}:
        raise UserError(f"the state folder {chosen} belongs to another user", "choose another one with --state DIR")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise UserError(f"the state folder {chosen} is open to other users", f"`chmod 700 {chosen}` closes it")


def api_socket(chosen: Path) -> Path:
    return chosen / "api.sock"
