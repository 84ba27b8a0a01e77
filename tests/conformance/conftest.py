"""One Sampan for all cases."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sampan.cli.api import Api
from sampan.cli.problem import UserError
from sampan.proxy.binary import find

from .stage import Stage
from .world import World, until


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="sampan-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        documents = folder / "documents"
        documents.mkdir()
        (documents / "empty.yaml").write_text("")
        command = [sys.executable, "-m", "sampan.cli", "up", "-f", str(documents), "--state", str(folder / "state")]
        command += ["--envoy", str(find()), "--concurrency", "1", "--drain-seconds", "0.2"]
        log = folder / "log"
        with log.open("wb") as file:
            process = subprocess.Popen(command, env=dict(os.environ), stdout=file, stderr=file)
        world = World(documents, Api(folder / "state", timeout=10.0), log.read_text)
        try:
            until(lambda: _answers(world.api), log.read_text, 30)
            yield world
        finally:
            world.backends.close()
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            finally:
                process.kill()
                process.wait()


def _answers(api: Api) -> bool:
    try:
        api.health()
    except UserError:
        return False
    return True


@pytest.fixture
def cleanup(world: World) -> Iterator[list[str]]:
    """Names of files to remove after the case."""
    files: list[str] = []
    yield files
    world.remove(*files)


@pytest.fixture
def stage(world: World) -> Iterator[Stage]:
    stage = Stage(world)
    yield stage
    world.remove(*stage.files)
