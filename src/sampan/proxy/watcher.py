"""Kills processes when the supervisor is gone (`processes.Guard`), on systems without a parent death signal.

Run as a file of its own, without site-packages. Reads lines `+PID` and `-PID`; the end of the input means that the
supervisor has ended, however it did.
"""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watched: set[int] = set()
    for line in sys.stdin.buffer:
        sign, pid = line[:1], int(line[1:])
        if sign == b"+":
            watched.add(pid)
        else:
            watched.discard(pid)
    for pid in watched:
        for kill in (os.killpg, os.kill):  # each child leads its process group
            try:
                kill(pid, signal.SIGKILL)
            except OSError:
                continue


if __name__ == "__main__":
    main()
