"""Whole Sampans over one real Consul: documents from its KV, their status in it, and what happens when parts die."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from sampan.cli.main import app
from sampan.cli.problem import UserError

from ..consul_binary import Agent, running
from ..daemon.conftest import Echo, Sampan, backend, free_port, gateway, joined, one, route, two, until

__all__ = ["one", "two"]
pytestmark = [pytest.mark.consul, pytest.mark.envoy]

ROUTE_KEY = "default/httproute.gateway.networking.k8s.io/a"
# Twice the session's time of 10 s, and what the search for the lock takes.
TAKEOVER_SECONDS = 30.0


class Plane(Sampan):
    """One `sampan up --consul` without any file. With `machine` it has a network of its own, as on another machine."""

    def __init__(self, folder: Path, consul: str, port: int, machine: bool) -> None:
        super().__init__(folder)
        self.port, self._consul = port, consul
        if machine:
            self.prefix = ("unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")

    def start(self) -> None:
        self.start_with("--consul", self._consul)

    def config(self) -> dict[str, list[dict[str, Any]]]:
        """All that its proxy has; {} as long as there is none."""
        with suppress(UserError):
            return self.api.config("default/shop")
        return {}

    @contextmanager
    def load_within(self) -> Iterator[dict[str, int]]:
        """Requests from its own machine while the block runs, counted by answer."""
        assert self.process is not None
        enter = ("nsenter", "-t", str(self.process.pid), "-n") if self.prefix else ()
        command = [*enter, sys.executable, "-c", _ASK, str(self.port)]
        seen: dict[str, int] = {}
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as asking:
            try:
                yield seen
            finally:
                seen.update(json.loads(asking.communicate("")[0]))


_ASK = """
import collections, http.client, json, select, sys
seen = collections.Counter()
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)
while not select.select([sys.stdin], [], [], 0)[0]:
    try:
        connection.request("GET", "/", headers={"host": "shop.example"})
        response = connection.getresponse()
        seen[f"{response.status} {response.read().decode()}"] += 1
    except (OSError, http.client.HTTPException) as error:
        seen[repr(error)] += 1
        connection.close()
print(json.dumps(seen))
"""


class Upstream(BaseHTTPRequestHandler):
    """Answers its socket's name: a Unix socket, which is the same for all networks of this machine."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = Path(str(self.server.server_address)).name.encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Stage:
    """A Consul, its KV, and Sampans over it."""

    def __init__(self, agent: Agent, stack: ExitStack, consul: str = "") -> None:
        self.agent, self.port, self.consul = agent, free_port(), consul or agent.url
        self._stack = stack
        self.kv = stack.enter_context(httpx.Client(base_url=f"{agent.url}/v1/kv", trust_env=False))

    def folder(self) -> Path:
        made = tempfile.TemporaryDirectory(prefix="sampan-", ignore_cleanup_errors=True)
        return Path(self._stack.enter_context(made))

    def plane(self, machine: bool = False) -> Plane:
        """Started, not yet ready."""
        made = Plane(self.folder(), self.consul, self.port, machine)
        made.start()
        self._stack.callback(_ended, made)
        return made

    def upstream(self, name: str) -> str:
        """The document of a Backend that answers its name."""
        path = str(self.folder() / name)
        server = self._stack.enter_context(ThreadingUnixStreamServer(path, Upstream))
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self._stack.callback(thread.join)
        self._stack.callback(server.shutdown)
        spec = json.dumps({"endpoints": [{"unix": path}]})
        return f"apiVersion: sampan.dev/v1alpha1\nkind: Backend\nmetadata: {{name: {name}}}\nspec: {spec}\n"

    def apply(self, *documents: str) -> str:
        done = CliRunner().invoke(app, ["apply", "-f", "-", "--consul", self.consul], input=joined(*documents))
        assert done.exit_code == 0, done.output
        return done.stdout

    def status(self, tail: str) -> dict[str, Any]:
        answer = self.kv.get(f"/sampan/status/{tail}", params={"raw": ""})
        return dict(answer.json()) if answer.is_success else {}

    def leader(self) -> int:
        """The process that holds the lock, 0 if none does."""
        answer = self.kv.get("/sampan/leader")
        found = answer.json()[0] if answer.is_success else {}
        if not found.get("Session"):
            return 0
        return int(json.loads(self.kv.get("/sampan/leader", params={"raw": ""}).text)["pid"])


def _ended(plane: Plane) -> None:
    if plane.process is not None and plane.process.poll() is None:
        plane.stop()


@pytest.fixture
def stage() -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(stack.enter_context(running()), stack)


def _reasons(status: dict[str, Any]) -> dict[str, str]:
    parents = status.get("status", {}).get("parents", [])
    return {item["type"]: item["reason"] for parent in parents for item in parent["conditions"]}


def test_what_is_applied_takes_effect_and_its_status_is_there(stage: Stage, one: Echo) -> None:
    plane = stage.plane()
    plane.until_ready()
    stage.apply(gateway(stage.port), backend("one", one.port), route("a", {"one": 1}))
    plane.until_answer("one")
    until(lambda: _reasons(stage.status(ROUTE_KEY)) == {"Accepted": "Accepted", "ResolvedRefs": "ResolvedRefs"})
    stage.apply(route("a", {"nobody": 1}))
    until(lambda: _reasons(stage.status(ROUTE_KEY)).get("ResolvedRefs") == "BackendNotFound")
    (said,) = stage.status(ROUTE_KEY)["diagnostics"]
    assert (said["code"], said["file"]) == ("SMP0311", f"sampan/documents/{ROUTE_KEY}")
    # A value that cannot be read: the last good version stays, and what is wrong is there to be seen.
    stage.kv.put(f"/sampan/documents/{ROUTE_KEY}", content="spec: [")
    until(lambda: "SMP0205" in {item["code"] for item in stage.status(ROUTE_KEY).get("diagnostics", ())})
    assert plane.ask()[0] == 500
    # Removed: the status goes too.
    stage.kv.delete(f"/sampan/documents/{ROUTE_KEY}")
    plane.until_answer(404)
    until(lambda: not stage.status(ROUTE_KEY))


def test_a_status_is_written_when_it_changes_and_not_otherwise(stage: Stage, one: Echo) -> None:
    plane = stage.plane()
    stage.apply(gateway(stage.port), backend("one", one.port), route("a", {"one": 1}))
    plane.until_answer("one")
    until(lambda: _reasons(stage.status(ROUTE_KEY)))
    until(lambda: stage.status("default/gateway.gateway.networking.k8s.io/shop"))
    before = stage.kv.get(f"/sampan/status/{ROUTE_KEY}").json()[0]["ModifyIndex"]
    # Another route comes and has its status written: the write that would have rewritten the first one, too.
    stage.apply(route("b", {"one": 1}, path="/b"))
    until(lambda: _reasons(stage.status(ROUTE_KEY.replace("/a", "/b"))))
    # So does another control plane that takes over.
    second = stage.plane()
    second.until_ready()
    plane.stop()
    pid = second.children()["control"]
    until(lambda: stage.leader() == pid)
    stage.apply(route("c", {"one": 1}, path="/c"))
    until(lambda: _reasons(stage.status(ROUTE_KEY.replace("/a", "/c"))))
    assert stage.kv.get(f"/sampan/status/{ROUTE_KEY}").json()[0]["ModifyIndex"] == before


@pytest.mark.root
def test_two_control_planes_give_the_same_and_either_may_die() -> None:
    with ExitStack() as stack:
        address = f"{stack.enter_context(tempfile.TemporaryDirectory(prefix='consul-'))}/http.sock"
        agent = stack.enter_context(running(addresses={"http": f"127.0.0.1 unix://{address}"}))
        _two_control_planes(Stage(agent, stack, f"unix://{address}"))


def _two_control_planes(stage: Stage) -> None:
    planes = [stage.plane(), stage.plane(machine=True)]
    stage.apply(gateway(stage.port), stage.upstream("one"), stage.upstream("two"), route("a", {"one": 1}))

    def alike() -> bool:
        first, second = (plane.config() for plane in planes)
        return first == second and bool(first.get("route"))

    until(alike, lambda: [(plane.log, plane.config()) for plane in planes])
    until(lambda: all(plane.ready() for plane in planes))
    metadata = [plane.api.objects("HTTPRoute")[0]["metadata"] for plane in planes]
    assert metadata[0] == metadata[1]
    leader = until(stage.leader)
    led = next(plane for plane in planes if plane.children()["control"] == leader)
    with planes[0].load_within() as first, planes[1].load_within() as second:
        # Frozen, it frees nothing: only the time of its session runs out. (Its supervisor starts another one by then,
        # which may be the heir as well as the other machine's.)
        os.kill(leader, signal.SIGSTOP)
        stage.apply(route("a", {"two": 1}), route("late", {"nobody": 1}, path="/late"))
        until(lambda: stage.leader() not in (0, leader), lambda: led.log, TAKEOVER_SECONDS)
        late = ROUTE_KEY.replace("/a", "/late")
        until(lambda: _reasons(stage.status(late)).get("ResolvedRefs") == "BackendNotFound")
        with suppress(ProcessLookupError):
            os.kill(leader, signal.SIGKILL)
        until(lambda: led.children().get("control") not in (leader, None) and led.ready(), lambda: led.log)
        until(alike)
    for seen in (first, second):
        assert seen.keys() <= {"200 one", "200 two"}
        assert seen["200 two"] > 100


def test_consul_killed_and_back(one: Echo, two: Echo) -> None:
    with ExitStack() as stack:
        agent = stack.enter_context(_until_killed())
        stage = Stage(agent, stack)
        plane = stage.plane()
        stage.apply(gateway(stage.port), backend("one", one.port), backend("two", two.port), route("a", {"one": 1}))
        plane.until_answer("one")
        # What is not on disk yet is not there after a kill; that takes half a second.
        until(lambda: _kept(plane) == 4, lambda: plane.log)
        with plane.load() as seen:
            os.kill(agent.pid, signal.SIGKILL)
            said = plane.until_diagnostic("SMP0217")
            assert "stay as they were" in said["reason"]
            # A control plane that starts now has what was last good.
            os.kill(plane.children()["control"], signal.SIGKILL)
            until(lambda: plane.ready() and len(plane.api.objects("HTTPRoute")) == 1, lambda: plane.log)
            plane.until_diagnostic("SMP0217")
            port = int(agent.http.rpartition(":")[2])
            with running(ports={"http": port}) as again:
                assert again.http == agent.http
                # It lost everything: what is applied now counts.
                stage.apply(gateway(stage.port), backend("two", two.port), route("a", {"two": 1}))
                plane.until_answer("two")
                until(lambda: not [item for item in plane.diagnostics() if item["code"] == "SMP0217"])
                until(lambda: _reasons(stage.status(ROUTE_KEY)))
        assert seen[200] > 100


def _kept(plane: Plane) -> int:
    """How many documents of the KV would survive."""
    with closing(sqlite3.connect(f"file:{plane.folder / 'state.db'}?mode=ro", uri=True)) as database:
        found: int = database.execute("SELECT count(*) FROM last_good WHERE source='consul-kv'").fetchone()[0]
        return found


@contextmanager
def _until_killed() -> Iterator[Agent]:
    with running() as agent:
        yield agent


def test_the_registry_on_a_laptop_keeps_documents(one: Echo) -> None:
    """No address is given anywhere: `apply` finds the registry that runs beside the control plane."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sampan-", ignore_cleanup_errors=True)))
        plane = Sampan(folder)
        options = ("--registry", f"127.0.0.1:{free_port()}", "--registry-dns", "off")
        plane.start_with(*options)
        stack.callback(lambda: _ended(plane))
        plane.until_ready()

        def sampan(*arguments: str, typed: str = "") -> str:
            done = CliRunner().invoke(app, list(arguments), input=typed, env={"SAMPAN_STATE": str(plane.folder)})
            assert done.exit_code == 0, done.output
            return done.stdout

        documents = joined(gateway(plane.port), backend("one", one.port), route("a", {"one": 1}))
        assert sampan("apply", "-f", "-", typed=documents).count("created") == 3
        plane.until_answer("one")
        # What was acknowledged survives that all of it is killed.
        assert plane.process is not None
        plane.stop(signal.SIGKILL)
        plane.start_with(*options)
        plane.until_answer("one")
        assert sampan("delete", "httproute", "a") == "httproute/a deleted\n"
        plane.until_answer(404)
