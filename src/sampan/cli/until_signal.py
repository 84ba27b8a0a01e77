"""Runs something until a signal asks it to end, so that it cleans up."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any

INTERRUPTED = 130  # 128 + SIGINT: what shells show for Ctrl-C


def run_until_signal(body: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """The result of `body`. SIGINT, SIGTERM and SIGHUP cancel it, once: then INTERRUPTED."""
    return asyncio.run(_run(body))


async def _run(body: Callable[[], Coroutine[Any, Any, int]]) -> int:
    task = asyncio.current_task()
    assert task is not None, "we are inside one"
    interrupted = False

    def stop() -> None:
        nonlocal interrupted
        if not interrupted:
            interrupted = True
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        return await body()
    except asyncio.CancelledError:
        if not interrupted:
            raise
        return INTERRUPTED
