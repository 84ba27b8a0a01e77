"""The `consul` command line, HashiCorp's own, against ours."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .. import consul_binary
from ..consul_binary import NODE, Agent
from ..dying import dying

pytestmark = pytest.mark.consul

DEADLINE_SECONDS = 20.0
Command = Callable[..., str]


def environment(agent: Agent) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "CONSUL_HTTP_ADDR": agent.http, "SHELL": "/bin/sh"}


@pytest.fixture
def consul(agent: Agent) -> Command:
    def run(*arguments: str, status: int = 0) -> str:
        done = subprocess.run(
            [str(consul_binary.find()), *arguments],
            env=environment(agent),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + (done.stderr if status else "")

    return run


def until(what: Callable[[], str], expected: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while expected not in (found := what()):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def column(text: str, number: int) -> list[str]:
    return [line.split()[number] for line in text.splitlines()[1:] if line.strip()]


def test_what_is_there(consul: Command) -> None:
    assert column(consul("members"), 0) == [NODE]
    assert column(consul("members"), 2) == ["alive"]
    assert column(consul("catalog", "nodes"), 0) == [NODE]
    assert column(consul("catalog", "nodes", "-detailed"), 0) == [NODE]
    assert consul("catalog", "datacenters").split() == ["dc1"]
    assert "consul" in consul("info")


def test_services(consul: Command, tmp_path: Path) -> None:
    consul("services", "register", "-name=web", "-port=80", "-tag=a", "-tag=b", "-meta=version=1")
    until(lambda: consul("catalog", "services"), "web")
    assert "a,b" in consul("catalog", "services", "-tags")
    assert column(consul("catalog", "nodes", "-service=web"), 0) == [NODE]
    definition = tmp_path / "db.json"
    definition.write_text(json.dumps({"service": {"name": "db", "port": 5432, "check": {"ttl": "10m"}}}))
    consul("services", "register", str(definition))
    until(lambda: consul("catalog", "services"), "db")
    consul("services", "deregister", str(definition))
    consul("services", "deregister", "-id=web")
    until(lambda: str({"web", "db"} & set(consul("catalog", "services").split())), "set()")
    assert "requires at least one argument" in consul("services", "deregister", status=1)
    assert "Error" in consul("services", "register", "-name=web", "-address=0.0.0.0", status=1)


def test_kv(consul: Command) -> None:
    consul("kv", "put", "app/one", "1")
    consul("kv", "put", "-flags=7", "app/two", "2")
    assert consul("kv", "get", "app/one") == "1\n"
    assert consul("kv", "get", "-recurse", "app/") == "app/one:1\napp/two:2\n"
    assert consul("kv", "get", "-keys", "app/").split() == ["app/one", "app/two"]
    assert consul("kv", "get", "-keys", "-separator=/", "").split() == ["app/"]
    detailed = dict(line.split() for line in consul("kv", "get", "-detailed", "app/two").splitlines())
    assert (detailed["Flags"], detailed["Value"], detailed["LockIndex"]) == ("7", "2", "0")
    index = detailed["ModifyIndex"]
    consul("kv", "put", "-cas", "-modify-index=1", "app/two", "3", status=1)
    consul("kv", "put", "-cas", f"-modify-index={index}", "app/two", "3")
    consul("kv", "delete", "-cas", "-modify-index=1", "app/two", status=1)
    assert "No key exists" in consul("kv", "get", "nope", status=1)
    exported = consul("kv", "export", "app/")
    consul("kv", "delete", "-recurse", "app/")
    assert consul("kv", "get", "-recurse", "app/") == ""
    consul("kv", "import", exported)
    assert consul("kv", "get", "app/two") == "3\n"
    consul("kv", "delete", "-recurse", "app/")


def test_maintenance(consul: Command) -> None:
    consul("services", "register", "-name=web", "-id=web-1")
    consul("maint", "-enable", "-service=web-1", "-reason=upgrade")
    assert "upgrade" in consul("maint")
    consul("maint", "-disable", "-service=web-1")
    consul("maint", "-enable")
    assert NODE in consul("maint")
    consul("maint", "-disable")
    assert consul("maint").strip() == ""
    consul("services", "deregister", "-id=web-1")


def test_lock(consul: Command, tmp_path: Path) -> None:
    out = tmp_path / "out"
    consul("lock", "locks/one", f"echo held > {out}")
    assert out.read_text() == "held\n"
    consul("lock", "-n=2", "-try=5s", "locks/many", f"echo semaphore > {out}")
    assert out.read_text() == "semaphore\n"


def test_a_held_lock_is_not_had(agent: Agent, consul: Command, tmp_path: Path) -> None:
    held, go = tmp_path / "held", tmp_path / "go"
    os.mkfifo(go)
    with background(agent, "lock", "locks/two", f"echo > {held}; cat {go}") as holder:
        until(lambda: str(held.exists()), "True")
        assert "timeout" in consul("lock", "-try=1s", "locks/two", "true", status=1)
        go.write_text("end")
        assert holder.wait(DEADLINE_SECONDS) == 0
    consul("lock", "-try=20s", "locks/two", "true")


@contextmanager
def background(agent: Agent, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command that goes on until the block ends."""
    process = subprocess.Popen(
        dying([str(consul_binary.find()), *arguments]),
        env=environment(agent),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def seen(tmp_path: Path) -> tuple[str, Callable[[], str]]:
    """A handler for `watch`, and what it has been told so far."""
    out = tmp_path / "seen"
    out.touch()
    return f"cat >> {out}; echo >> {out}", out.read_text


WATCHES = (
    (("-type=key", "-key=watched/a"), ("kv", "put", "watched/a", "changed"), "Y2hhbmdlZA=="),
    (("-type=keyprefix", "-prefix=watched/"), ("kv", "put", "watched/b", "changed"), "watched/b"),
    (("-type=services",), ("services", "register", "-name=new-one"), "new-one"),
    (("-type=service", "-service=web"), ("services", "register", "-name=web", "-port=7"), '"Port":7'),
    (("-type=checks", "-state=critical"), ("maint", "-enable", "-reason=watched"), "_node_maintenance"),
    (("-type=event", "-name=deploy"), ("event", "-name=deploy", "payload"), '"deploy"'),
)


@pytest.mark.parametrize(("watch", "change", "expected"), WATCHES, ids=[watch[0][0] for watch in WATCHES])
def test_watch(
    agent: Agent,
    consul: Command,
    seen: tuple[str, Callable[[], str]],
    watch: tuple[str, ...],
    change: tuple[str, ...],
    expected: str,
) -> None:
    handler, told = seen
    with background(agent, "watch", *watch, handler):
        consul(*change)
        until(told, expected)
    consul("maint", "-disable")


def test_watch_nodes_once(consul: Command) -> None:
    assert [node["Node"] for node in json.loads(consul("watch", "-type=nodes"))] == [NODE]


@pytest.mark.parametrize("agent", ["ours"], indirect=True)
def test_what_is_not_supported_says_so(consul: Command) -> None:
    assert "registry is for one machine" in consul("operator", "raft", "list-peers", status=1)
