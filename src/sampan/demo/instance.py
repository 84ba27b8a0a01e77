"""One running process of the shop: starting it, hearing where it listens, ending it."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass

START_SECONDS = 10.0
STOP_SECONDS = 6.0  # a service drains for at most five
KEPT_OUTPUT = 4000

_LISTENING = re.compile(rb"listening ([0-9.]+):([0-9]+)\n")


class DemoError(Exception):
    """The demo cannot go on; the text is a sentence for the user and says what to do."""


@dataclass(frozen=True, slots=True)
class Role:
    """What is to run: a module of `sampan.demo.services`, and the name and version that it answers with."""

    service: str
    version: str
    name: str


@dataclass(frozen=True, slots=True)
class Instance:
    """What runs where. `name` is unique in the shop."""

    service: str
    version: str
    name: str
    host: str
    port: int
    pid: int

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


class Running:
    """A process that listens. `output` is the end of what it said on standard error."""

    def __init__(self, instance: Instance, process: asyncio.subprocess.Process, output: bytearray) -> None:
        self.instance = instance
        self._process = process
        self._output = output

    async def wait(self) -> int:
        """The exit status; negative for a signal."""
        return await _ended(self._process, self._output)

    @property
    def output(self) -> str:
        return self._output.decode("utf-8", "replace").strip()

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL after STOP_SECONDS. The process is reaped when this returns, cancelled or not."""
        await _stop(self._process, self._output)


async def start(role: Role, gateway: str, registry: str = "") -> Running:
    """Starts an instance, which registers if there is a registry, and waits until it listens. Raises DemoError, with
    what it said, if it does not."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # a file json.py in the user's folder is not the json that we mean
        "-m",
        f"sampan.demo.services.{role.service}",
        *("--instance", role.name, "--version", role.version, "--gateway", gateway),
        *("--registry", registry, "--supervised"),
        stdin=asyncio.subprocess.PIPE,  # its end tells the child that we are gone
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C in the terminal is for us; we end the children in order
    )
    output = bytearray()
    try:
        assert process.stdout is not None, "asked for a pipe"
        line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        found = _LISTENING.fullmatch(line)
        if found is None:
            await _stop(process, output)
            said = output.decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise DemoError(f"{role.name} did not start: {said or 'it ended without a word'}")
        instance = Instance(role.service, role.version, role.name, found[1].decode(), int(found[2]), process.pid)
        return Running(instance, process, output)
    except TimeoutError as error:
        await _stop(process, output)
        raise DemoError(f"{role.name} did not listen within {START_SECONDS:g} s; is the machine very busy?") from error
    except asyncio.CancelledError:
        await _stop(process, output)
        raise


async def _stop(process: asyncio.subprocess.Process, output: bytearray) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(_ended(process, output), STOP_SECONDS)
    except (TimeoutError, asyncio.CancelledError) as error:
        with suppress(ProcessLookupError):
            process.kill()
        await _ended(process, output)
        if isinstance(error, asyncio.CancelledError):
            raise


async def _ended(process: asyncio.subprocess.Process, output: bytearray) -> int:
    assert process.stderr is not None, "asked for a pipe"
    assert process.stdin is not None, "asked for a pipe"
    while chunk := await process.stderr.read(1024):
        output += chunk
        del output[:-KEPT_OUTPUT]
    status = await process.wait()
    process.stdin.close()
    return status
