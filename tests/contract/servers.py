"""The two that are compared: a real Consul, and the embedded registry as `sampan up` starts it."""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .. import consul_binary
from ..consul_binary import DATACENTER, NODE, Agent
from ..dying import dying

START_SECONDS = 20.0


@contextmanager
def real() -> Iterator[Agent]:
    """With checks' outputs told at once, too: by default they are told some minutes later if the status is the same."""
    with consul_binary.running(connections=1000, check_update_interval="0s") as agent:
        yield agent


@contextmanager
def ours(*options: str) -> Iterator[Agent]:
    """On ephemeral ports, over a state folder of its own; it calls its node as the real one does."""
    with (
        tempfile.TemporaryDirectory(prefix="registry-", ignore_cleanup_errors=True) as folder,
        kept_in(Path(folder), *options) as agent,
    ):
        yield agent


@contextmanager
def kept_in(folder: Path, *options: str) -> Iterator[Agent]:
    log = folder / "log"
    command = [
        *(sys.executable, "-m", "sampan.registry", "--state", str(folder / "state")),
        *("--http", "127.0.0.1:0", "--dns", "127.0.0.1:0", "--node", NODE, "--datacenter", DATACENTER),
        *("--check-update-interval", "0s", *options),
    ]
    with log.open("ab") as sink:
        process = subprocess.Popen(
            dying(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=sink,
        )
    try:
        line = _first_line(process)
        if not line:
            pytest.fail(f"the registry did not start: {log.read_text(errors='replace')[-2000:]}", pytrace=False)
        places = json.loads(line)
        yield Agent(places["http"], places.get("dns", ""), process.pid)
    finally:
        process.terminate()
        try:
            process.wait(10)
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
    # What it does wrong without saying so to a client, it says here.
    assert "Traceback" not in (said := log.read_text(errors="replace")), said[-4000:]


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    """Within START_SECONDS, or nothing."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        return process.stdout.readline() if selector.select(START_SECONDS) else b""
