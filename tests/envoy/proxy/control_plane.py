"""A control plane for tests: applies what a JSON file says, again when the file changes, and stays ready.

python control_plane.py DESIRED.json
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from sampan.proxy import client


async def follow(supervisor: client.Supervisor, desired: Path) -> None:
    applied = ""
    while True:
        text = desired.read_text()
        if text != applied:
            await supervisor.apply(
                {name: client.Bootstrap(Path(path), version) for name, (path, version) in json.loads(text).items()}
            )
            applied = text
        await asyncio.sleep(0.02)


async def listen_again() -> None:
    print("listens again", flush=True)


async def main() -> None:
    async with client.Supervisor(Path(os.environ["SAMPAN_SUPERVISOR"])) as supervisor, asyncio.TaskGroup() as tasks:
        tasks.create_task(follow(supervisor, Path(sys.argv[1])))
        tasks.create_task(supervisor.stay_ready(listen_again, interval=0.2))


if __name__ == "__main__":
    asyncio.run(main())
