"""Ours is killed in the middle of a script, again and again: with what it knows then, it agrees with a real Consul that
was not killed. Indexes do not fall either."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from . import servers
from .both import Both
from .server import Server
from .test_random import READS, Script

pytestmark = pytest.mark.consul

LIVES, STEPS = 4, 30


@pytest.mark.parametrize("seed", [101, 102])
def test_nothing_is_forgotten(tmp_path: Path, seed: int) -> None:
    with servers.real() as real:
        both = Both([Server(real.url)])
        script = Script(both, seed)
        for life in range(LIVES):
            with servers.kept_in(tmp_path) as ours:
                if life == 0:
                    both.servers.append(Server(ours.url))
                    both.begin(f"test_nothing_is_forgotten[{seed}]")
                else:
                    both.servers[1].move(ours.url)
                    for path in READS:
                        both.call("GET", path, None)
                for _ in range(STEPS):
                    script.step()
                os.kill(ours.pid, signal.SIGKILL)
        both.close()
    assert not both.different, "\n  ".join(["they differ:", *both.different[:40]])
