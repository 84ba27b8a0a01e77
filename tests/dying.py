"""Processes that die with the tests, started without Python code between fork and exec: beside the threads that gRPC
has in the tests' process, a `preexec_fn` may hang the child."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

_TIED = """
import ctypes, os, signal, sys
parent, *command = sys.argv[1:]
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(parent):
        os._exit(1)
os.execvp(command[0], command)
"""


def dying(command: Sequence[str]) -> list[str]:
    """The command, tied to the life of this process; its pid is that of the process which is started."""
    return [sys.executable, "-S", "-c", _TIED, str(os.getpid()), *command]
