"""Serves each proxy the last configuration it had, from disk, while no control plane is there.

    python -m sampan.xds.replay --runtime DIR

Started by the supervisor when a proxy has to start without a control plane. A proxy that has something keeps it: what
is on disk may be older. Ends with status 0 when another server has taken the socket's path, or at SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sampan.xds.control import Control
from sampan.xds.server import serving, socket_path
from sampan.xds.store import read_all, rows_folder

LOOK_SECONDS = 0.5


async def replay(path: Path, folder: Path, stop: asyncio.Event) -> None:
    """Until `stop` is set or the path leads elsewhere. OSError if the path cannot be taken."""
    control = Control(keep=True)
    tables, problems = await asyncio.to_thread(read_all, folder)
    for problem in problems:
        print(problem, file=sys.stderr)
    for scope, rows in tables.items():
        control.publish(scope, rows)
    async with serving(control, path) as address:
        print(f"serving the last configuration of {len(tables)} proxies", file=sys.stderr)
        while not stop.is_set() and address.ours():
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await stop.wait()


async def _run(path: Path, folder: Path) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await replay(path, folder, stop)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="sampan.xds.replay", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runtime", type=Path, help="Sampan's runtime folder, instead of the next two")
    parser.add_argument("--socket", type=Path, help="path of the Unix socket to serve")
    parser.add_argument("--state", type=Path, help="folder with the last rows")
    options = parser.parse_args(arguments)
    if not options.runtime and not (options.socket and options.state):
        parser.error("--runtime, or --socket and --state")
    path = options.socket or socket_path(options.runtime)
    folder = options.state or rows_folder(options.runtime)
    try:
        asyncio.run(_run(path, folder))
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
