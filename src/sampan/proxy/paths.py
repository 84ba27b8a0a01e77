"""Where the supervisor and its proxies keep their files, under one runtime directory that only its user can open.

    DIR/supervisor.lock                 held while a supervisor runs; holds its pid
    DIR/supervisor.sock                 the control protocol
    DIR/xds.sock                        a link to the xDS socket of the control plane, or of the replay
    DIR/proxies/<NAME, / as ~>/         a proxy's folder (the control plane writes the bootstrap into it)
    DIR/proxies/<NAME>/admin.sock       a link to the admin socket of the run that serves now
    DIR/admin/<run>                     the admin socket of one run: two runs overlap when a bootstrap changes

The real sockets have short names because `sun_path` is short (unix(7)); the links may be as long as names are.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

# sun_path holds 108 bytes on Linux and 104 on macOS, with a closing NUL.
SOCKET_PATH_BYTES = 107 if sys.platform == "linux" else 103
# The longest name of a real socket in the directory: that of xDS with the largest pid (proc(5), pid_max).
_TAIL_BYTES = len("/xds.sock.4194304")
# A file name has at most 255 bytes; a namespace has 63 and an object's name 253.
_LONGEST_FOLDER = 150
_LONGEST_NAME = 63 + len("/") + 253


def lock_file(runtime: Path) -> Path:
    return runtime / "supervisor.lock"


def supervisor_socket(runtime: Path) -> Path:
    return runtime / "supervisor.sock"


def xds_socket(runtime: Path) -> Path:
    """Where proxies reach the control plane or the replay: a link to the socket of whichever serves now."""
    return runtime / "xds.sock"


def proxy_folder(runtime: Path, name: str) -> Path:
    """A name that is longer than a file name may be is cut, and told apart by its hash."""
    short = name.replace("/", "~")
    if len(short) > _LONGEST_FOLDER:
        from hashlib import blake2b  # OpenSSL, which the supervisor hardly ever needs

        short = f"{short[: _LONGEST_FOLDER - 17]}~{blake2b(name.encode(), digest_size=8).hexdigest()}"
    return runtime / "proxies" / short


def admin_link(runtime: Path, name: str) -> Path:
    """The admin socket of the run that serves now. A link: resolve it before connecting (`admin` does)."""
    return proxy_folder(runtime, name) / "admin.sock"


def admin_folder(runtime: Path) -> Path:
    return runtime / "admin"


def admin_socket(runtime: Path, run: int) -> Path:
    """The admin socket of run number `run`: each start of an Envoy has its number."""
    return admin_folder(runtime) / str(run)


def too_long(runtime: Path) -> str | None:
    """A sentence if sockets in this directory would have paths longer than the system allows."""
    length, limit = len(os.fsencode(runtime)), SOCKET_PATH_BYTES - _TAIL_BYTES
    if length <= limit:
        return None
    return (
        f"the runtime directory {runtime} has a path of {length} bytes, and the system's limit for socket paths leaves "
        f"{limit}: choose a shorter one with --runtime"
    )


def name_error(name: object) -> str | None:
    """A sentence if this cannot be a proxy's name: it becomes a folder's name and stands in logs."""
    if not isinstance(name, str) or not name:
        return "a proxy's name must be a text that is not empty"
    if len(name.encode("utf-8", "replace")) > _LONGEST_NAME:
        return f"the proxy's name {name[:40]}… is longer than {_LONGEST_NAME} bytes"
    if name in (".", "..") or not name.isprintable() or not name.isascii() or "~" in name or "\\" in name:
        return f"the proxy's name {name!r} must be printable ASCII without ~ and backslash"
    return None
