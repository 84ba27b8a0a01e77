"""Asks the real Envoy whether it would take a configuration: `envoy --mode validate`, measured at 0.06 s."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

# The end of the temporary file's name tells Envoy how to read it (Api::fileReadToEnd and loadFromFile in its source).
_SUFFIX = {"json": ".json", "binary": ".pb", "text": ".pb_text"}
_LOG_PREFIX = re.compile(r"^\[[^]]*\]\[\d+\]\[\w+\]\[\w+\] \[[^]]*\] ")
_SPACES = re.compile(r" {2,}")
_LONGEST_ERROR = 64 * 1024


class TrialError(Exception):
    """Envoy gave no verdict: it could not be started, took too long or was killed."""


class Trials:
    """Runs trials, `concurrency` at a time; others wait their turn. Make one and share it."""

    def __init__(self, envoy: Path, *, concurrency: int = 2, timeout: float = 20.0) -> None:
        self._envoy = envoy
        self._timeout = timeout
        self._turns = asyncio.Semaphore(concurrency)

    async def validate(self, bootstrap: bytes, form: str = "json", arguments: Sequence[str] = ()) -> str | None:
        """None if Envoy would take the bootstrap, else what it says against it, without its log's prefix.

        `form`: "json", "binary" (a serialised Bootstrap) or "text". The process and its file are gone when this returns
        or is cancelled. Raises TrialError.
        """
        async with self._turns:
            with _written(bootstrap, _SUFFIX[form]) as name:
                said = await self._run(name, arguments)
        return None if said is None else readable(said, name, bootstrap.decode(errors="replace"))

    async def _run(self, name: str, arguments: Sequence[str]) -> str | None:
        options = ("--mode", "validate", "--config-path", name, "--log-level", "error", "--disable-hot-restart")
        try:
            # Without preexec_fn, so that Python uses vfork: a plain fork beside gRPC's threads may hang the child. A
            # trial whose parent is killed ends by itself.
            process = await asyncio.create_subprocess_exec(
                self._envoy,
                *options,
                *("--concurrency", "1"),
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                process_group=0,
            )
        except OSError as error:
            raise TrialError(f"Envoy cannot be started for a trial: {error}") from error
        try:
            async with asyncio.timeout(self._timeout):
                _, said = await process.communicate()
        except TimeoutError:
            raise TrialError(f"Envoy gave no verdict within {self._timeout} s") from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        status = process.returncode
        if status == 0:
            return None
        if status is not None and status < 0:
            raise TrialError(f"Envoy was ended by signal {-status} during a trial")
        return said.decode(errors="replace")


@contextlib.contextmanager
def _written(content: bytes, suffix: str) -> Iterator[str]:
    """The path of a temporary file, open to its user alone. Raises TrialError if there is no room for one."""
    name = ""
    try:
        try:
            descriptor, name = tempfile.mkstemp(prefix="sampan-trial-", suffix=suffix)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
        except OSError as error:
            raise TrialError(f"no file can be written for a trial: {error.strerror}") from error
        yield name
    finally:
        if name:
            os.unlink(name)


def readable(said: str, file: str, bootstrap: str) -> str:
    """Envoy's words without log prefixes, without the temporary file's name and without saying anything twice.

    For what is not even JSON, Envoy repeats the whole text, private keys included: that part is left out.
    """
    lines: list[str] = []
    if bootstrap:
        said = said.replace(f": {bootstrap}", "").replace(bootstrap, "…")
    for line in said.splitlines():
        text = _LOG_PREFIX.sub("", line).replace(f"error initializing configuration '{file}': ", "").replace(file, "it")
        # Protobuf varies the spaces of its messages on purpose, so that nobody compares them.
        text = _SPACES.sub(" ", text).strip()
        if text and text not in lines:
            lines.append(text)
    return "\n".join(lines)[:_LONGEST_ERROR] or "Envoy refused it without a word"
