"""One log out of many: whole lines, with the name of who says them, and no flood that stops anything."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest
from proxy_harness import Supervised, bootstrap, eventually, free_port, get, http_listener, upstream

pytestmark = pytest.mark.envoy

FLOOD = """
import runpy, sys, threading
def shout():
    for number in range(20_000):
        sys.stderr.write(f"line {number:06} " + "x" * 200 + "\\n")
for _ in range(2):
    threading.Thread(target=shout).start()
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def flooding(supervised: Supervised) -> None:
    control, *_ = supervised._control[1:]
    supervised._control = (sys.executable, "-c", FLOOD.replace("sys.argv[1]", repr(str(control))), supervised.desired)


def test_a_flood_comes_out_in_whole_lines_and_in_the_file_too(folder: Path) -> None:
    async def scenario() -> None:
        port = free_port()
        supervised = Supervised(folder, "--log-file", str(folder / "joined"))
        flooding(supervised)
        async with upstream() as behind, supervised:
            supervised.want(shop=bootstrap([http_listener(port)], behind.port))
            await supervised.serving("shop")
            await eventually(lambda: supervised.text().count("line 019999") == 2, 20)
            assert await supervised.stop() == 0
        known = re.compile(r"(control|supervisor|envoy shop) \| ")
        for text in (supervised.text(), (folder / "joined").read_text()):
            assert all(known.match(line) for line in text.splitlines())
            said = [line for line in text.splitlines() if line.startswith("control | line ")]
            assert all(re.fullmatch(r"control \| line \d{6} x{200}", line) for line in said)

    asyncio.run(scenario())


def test_a_terminal_that_stands_still_stops_nobody(folder: Path) -> None:
    """stderr is a pipe that nobody reads: the flood is 8 MB, the pipe holds 64 KB."""

    async def scenario() -> None:
        port = free_port()
        supervised = Supervised(folder)
        flooding(supervised)
        reading, writing = os.pipe()
        supervised.stderr = writing
        async with upstream() as behind, supervised:
            os.close(writing)
            supervised.want(shop=bootstrap([http_listener(port)], behind.port))
            await supervised.serving("shop")
            assert (await get(port)).status == 200
            pid = supervised.process.pid
            resident = int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])  # type: ignore[index]
            assert resident < 30_000
            assert await supervised.stop() == 0
        os.close(reading)

    asyncio.run(scenario())
