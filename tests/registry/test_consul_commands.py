"""Consul's own command line against the embedded registry: keys, locks, watches and events."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .. import consul_binary
from .embedded import NODE, Embedded, embedded, until

pytestmark = pytest.mark.consul


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    with embedded(tmp_path_factory.mktemp("registry")) as running:
        yield running


def command(registry: Embedded, *arguments: str) -> tuple[list[str], dict[str, str]]:
    environment = {"CONSUL_HTTP_ADDR": str(registry.client.base_url), "PATH": os.environ["PATH"]}
    return [str(consul_binary.find()), *arguments], environment


def consul(registry: Embedded, *arguments: str, status: int = 0, stdin: str = "") -> str:
    line, environment = command(registry, *arguments)
    done = subprocess.run(line, env=environment, input=stdin, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


@contextmanager
def running(registry: Embedded, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    line, environment = command(registry, *arguments)
    with subprocess.Popen(
        line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_kv(registry: Embedded) -> None:
    consul(registry, "kv", "put", "a/b", "hello world")
    consul(registry, "kv", "put", "-flags=42", "a/c", "-", stdin="from stdin")
    assert consul(registry, "kv", "get", "a/b") == "hello world\n"
    assert "Flags            42" in consul(registry, "kv", "get", "-detailed", "a/c")
    assert consul(registry, "kv", "get", "-recurse", "a/") == "a/b:hello world\na/c:from stdin\n"
    assert consul(registry, "kv", "get", "-keys", "-separator=/") == "a/\n"
    assert "CAS failed" in consul(registry, "kv", "put", "-cas", "-modify-index=1", "a/b", "x", status=1)
    exported = consul(registry, "kv", "export", "a/")
    consul(registry, "kv", "delete", "-recurse", "a/")
    assert "No key exists at: a/b" in consul(registry, "kv", "get", "a/b", status=1)
    consul(registry, "kv", "import", "-", stdin=exported)
    assert consul(registry, "kv", "get", "a/c") == "from stdin\n"


def test_of_two_locks_one_waits_for_the_other(registry: Embedded, tmp_path: Path) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    os.mkfifo(gate)
    first = ("lock", "-monitor-retry=0", "leader", f"echo first >> {log}; cat {gate}; echo done >> {log}")
    second = ("lock", "-monitor-retry=0", "leader", f"echo second >> {log}")
    with running(registry, *first) as holder:
        until(lambda: log.exists() and log.read_text())
        with running(registry, *second) as other:
            until(lambda: len(registry.get("/v1/session/list")) == 2)
            assert log.read_text() == "first\n"
            gate.write_text("")
            assert (holder.wait(20), other.wait(20)) == (0, 0)
    assert log.read_text() == "first\ndone\nsecond\n"
    assert registry.get("/v1/session/list") == []
    assert registry.client.get("/v1/kv/leader/.lock").status_code == 404, "the last one cleans up"


def test_a_semaphore(registry: Embedded) -> None:
    assert consul(registry, "lock", "-n=2", "-verbose=false", "places", "echo in") == "in\n"


def test_watches(registry: Embedded, tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = f"cat >> {log}; echo >> {log}"

    def told() -> list[object]:
        return [json.loads(line) for line in log.read_text().splitlines() if line] if log.exists() else []

    with running(registry, "watch", "-type=keyprefix", "-prefix=watched/", script):
        until(lambda: told() == [None])
        registry.client.put("/v1/kv/other", content=b"1")
        registry.client.put("/v1/kv/watched/a", content=b"1")
        until(lambda: len(told()) == 2)
        assert [row["Key"] for row in told()[1]] == ["watched/a"]  # type: ignore[attr-defined]
        registry.client.delete("/v1/kv/watched/a")
        until(lambda: told()[-1] is None)
    log.unlink()
    with running(registry, "watch", "-type=event", "-name=deploy", script):
        until(lambda: told() == [[]])
        consul(registry, "event", "-name=other")
        assert "Event ID:" in consul(registry, "event", "-name=deploy", "payload")
        until(lambda: len(told()) > 1)
    assert [event["Name"] for event in told()[-1]] == ["deploy"]  # type: ignore[attr-defined]


def test_round_trip_times(registry: Embedded) -> None:
    assert "rtt: " in consul(registry, "rtt", NODE, NODE)
