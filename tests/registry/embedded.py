"""The embedded registry as its own process, while a block lasts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar

import httpx

NODE = "laptop"
DEADLINE_SECONDS = 20.0

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Embedded:
    """`dns` is HOST:PORT, "" where there is none."""

    client: httpx.Client
    dns: str
    pid: int

    def put(self, path: str, body: Any = None) -> Any:
        answer = self.client.put(path, json=body)
        assert answer.is_success, answer.text
        return answer

    def get(self, path: str) -> Any:
        answer = self.client.get(path)
        assert answer.is_success, answer.text
        return answer.json()


@contextmanager
def embedded(state: Path, *arguments: str) -> Iterator[Embedded]:
    command = [sys.executable, "-m", "sampan.registry", "--state", str(state), "--node", NODE]
    command += ["--http", "127.0.0.1:0", "--dns", "127.0.0.1:0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            with httpx.Client(base_url=f"http://{told['http']}", trust_env=False, timeout=20) as client:
                yield Embedded(client, told.get("dns", ""), process.pid)
        finally:
            process.kill()


def until(look: Callable[[], Found]) -> Found:
    """The first answer that is true."""
    end = monotonic() + DEADLINE_SECONDS
    while not (found := look()):
        assert monotonic() < end, "it has not come to pass"
        sleep(0.01)
    return found
