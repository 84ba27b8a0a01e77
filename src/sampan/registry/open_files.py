"""How many files a process may have open. Each client that waits is one, each blocking query, each check that runs."""

from __future__ import annotations

import contextlib
import resource

MOST = 65536


def allow() -> None:
    """As many as the machine lets us; shells allow 1024, or 256 on macOS."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(MOST, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
