"""The control plane as it is, with one observer more: each publication and its ACK is told to a Unix datagram socket.

`python -m bench.observed SOCKET [arguments of sampan.daemon]`, in the place of `python -m sampan.daemon`. Moments are
those of CLOCK_MONOTONIC, which all processes of a machine share: so the telling may take its time.
"""

from __future__ import annotations

import asyncio
import json
import runpy
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any

from sampan.xds.control import Control


def watch(path: str) -> None:
    """From now on every Control tells `path` about its publications."""
    to = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    to.connect(path)
    to.setblocking(False)  # ten datagrams may wait (net.unix.max_dgram_qlen): nobody may hold up what is measured
    pending: set[asyncio.Task[None]] = set()

    async def follow(control: Control, scope: str, revision: int, published: float) -> None:
        if await control.settled(scope, revision, timeout=60):
            found = {"scope": scope, "revision": revision, "published": published, "settled": time.monotonic()}
            with suppress(BlockingIOError):
                to.send(json.dumps(found).encode())

    def telling(method: Callable[..., int]) -> Callable[..., int]:
        @wraps(method)
        def publish(control: Control, scope: str, *given: Any, **named: Any) -> int:
            before = control.revision(scope)
            moment = time.monotonic()
            revision = method(control, scope, *given, **named)
            if revision != before:
                task = asyncio.get_running_loop().create_task(follow(control, scope, revision, moment))
                pending.add(task)
                task.add_done_callback(pending.discard)
            return revision

        return publish

    Control.publish = telling(Control.publish)  # type: ignore[method-assign]
    Control.publish_rows = telling(Control.publish_rows)  # type: ignore[method-assign]


if __name__ == "__main__":
    watch(sys.argv.pop(1))
    runpy.run_module("sampan.daemon", run_name="__main__", alter_sys=True)
