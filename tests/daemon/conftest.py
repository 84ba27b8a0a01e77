"""A whole Sampan as `sampan up` starts it: supervisor, control plane, real Envoys, documents in a folder."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from sampan.cli.api import Api
from sampan.cli.problem import UserError
from sampan.proxy.binary import find

DEADLINE_SECONDS = 30.0
PLUGINS = Path(__file__).parents[1] / "plugins"


def until(what: Callable[[], Any], said: Callable[[], object] = str, seconds: float = DEADLINE_SECONDS) -> Any:
    """What `what` gives once it is true; polls a real state. Fails with what `said` says."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds} s: {said()}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Echo:
    """An upstream that answers `name`, after a while if the path asks for it (`/slow?0.5`: then `waiting` is set)."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = 0
        self.waiting = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Echo:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Once or more."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join()
            self._loop.close()

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._end = asyncio.Event()
        async with await asyncio.start_server(self._connected, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            self._ready.set()
            await self._end.wait()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                target = head.split(b" ", 2)[1].decode()
                if target.startswith("/slow?"):
                    self.waiting.set()
                    await asyncio.sleep(float(target.removeprefix("/slow?")))
                body = self.name.encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
                await writer.drain()
        writer.close()


class Sampan:
    """One `sampan up` over `documents`. `folder` is its state; `options` are more of its command line."""

    def __init__(self, folder: Path, plugins: tuple[str, ...] = (), options: tuple[str, ...] = ()) -> None:
        self.folder = folder / "state"
        self.documents = folder / "documents"
        self.documents.mkdir()
        self.log_file = folder / "log"
        self.api = Api(self.folder, timeout=5.0)
        self.port = free_port()
        paths = [str(PLUGINS / name) for name in plugins]
        self._environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")])}
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None
        self.prefix: tuple[str, ...] = ()
        """What starts it."""

    # ---- documents

    def write(self, name: str, text: str) -> None:
        """As editors save: a new file moved over the old one."""
        partial = self.documents / f".{name}.partial"
        partial.write_text(text)
        os.replace(partial, self.documents / name)

    def remove(self, name: str) -> None:
        (self.documents / name).unlink()

    # ---- the process

    def start(self) -> None:
        self.start_with("-f", str(self.documents), *self.options)

    def start_with(self, *options: str) -> None:
        command = [*self.prefix, sys.executable, "-m", "sampan.cli", "up", *options, "--state", str(self.folder)]
        command += ["--envoy", str(find()), "--concurrency", "1", "--drain-seconds", "5"]
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()
            self.process.wait()

    @property
    def log(self) -> str:
        return self.log_file.read_text() if self.log_file.exists() else ""

    def children(self) -> dict[str, int]:
        """`control`, `replay`, `registry`, and `envoy` (the newest) by process id."""
        assert self.process is not None
        found: dict[str, int] = {}
        for pid in _descendants(self.process.pid):
            with suppress(OSError):
                command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
                if "sampan.daemon" in command:
                    found["control"] = pid
                elif "sampan.xds.replay" in command:
                    found["replay"] = pid
                elif "sampan.registry" in command:
                    found["registry"] = pid
                elif "--config-path" in command:
                    found["envoy"] = pid
        return found

    # ---- what it says

    def ready(self) -> bool:
        with suppress(UserError):
            return bool(self.api.health()["ready"])
        return False

    def until_ready(self) -> None:
        until(self.ready, lambda: self.log)

    def diagnostics(self) -> list[dict[str, Any]]:
        with suppress(UserError):
            return self.api.diagnostics()
        return []

    def until_diagnostic(self, code: str, seconds: float = DEADLINE_SECONDS) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            return next((item for item in self.diagnostics() if item["code"] == code), None)

        found: dict[str, Any] = until(look, lambda: (self.diagnostics(), self.log), seconds)
        return found

    # ---- requests

    def ask(self, path: str = "/", host: str = "shop.example", port: int = 0, timeout: float = 5.0) -> tuple[int, str]:
        """Status and body; (0, why) if there was no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=timeout)
        try:
            connection.request("GET", path, headers={"host": host})
            response = connection.getresponse()
            return response.status, response.read().decode()
        except (OSError, http.client.HTTPException) as error:
            return 0, repr(error)
        finally:
            connection.close()

    def until_answer(self, wanted: int | str, path: str = "/", host: str = "shop.example", port: int = 0) -> None:
        """A status, or a body with status 200."""
        answer = (200, wanted) if isinstance(wanted, str) else wanted
        until(
            lambda: self.ask(path, host, port) == answer or self.ask(path, host, port)[0] == answer,
            lambda: (wanted, self.ask(path, host, port), self.log),
        )

    @contextmanager
    def load(self, host: str = "shop.example", path: str = "/") -> Iterator[Counter[object]]:
        """Requests over kept connections while the block runs; counts answers by status, failures by their text."""
        seen: Counter[object] = Counter()
        ending = threading.Event()

        def work() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            while not ending.is_set():
                try:
                    connection.request("GET", path, headers={"host": host})
                    response = connection.getresponse()
                    response.read()
                    seen[response.status] += 1
                except (OSError, http.client.HTTPException) as error:
                    seen[repr(error)] += 1
                    connection.close()
            connection.close()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            yield seen
        finally:
            ending.set()
            for thread in threads:
                thread.join()


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with suppress(OSError, IndexError):
                parent = int(Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[1])
                if parent == pid:
                    found.append(int(name))
    return sorted(found)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, as sockets go into it."""
    with tempfile.TemporaryDirectory(prefix="sampan-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture
def sampan(folder: Path) -> Iterator[Sampan]:
    """Not started yet."""
    yield from _ended(Sampan(folder))


@pytest.fixture
def sampan_with_registry(folder: Path) -> Iterator[Sampan]:
    """With an embedded registry, at ports that nobody else has."""
    yield from _ended(Sampan(folder, options=("--registry", "127.0.0.1:0", "--registry-dns", "127.0.0.1:0")))


@pytest.fixture
def sampan_with_raw_route(folder: Path) -> Iterator[Sampan]:
    """With the policy `RawRoute`, which lets a document put what only Envoy refuses into a route."""
    yield from _ended(Sampan(folder, ("raw_route",)))


def _ended(found: Sampan) -> Iterator[Sampan]:
    try:
        yield found
    finally:
        if found.process is not None and found.process.poll() is None:
            found.stop()


@pytest.fixture
def one() -> Iterator[Echo]:
    with Echo("one") as echo:
        yield echo


@pytest.fixture
def two() -> Iterator[Echo]:
    with Echo("two") as echo:
        yield echo


def gateway(port: int, name: str = "shop") -> str:
    return document("gateway.networking.k8s.io/v1", "Gateway", name) + _json(
        {"gatewayClassName": "sampan", "listeners": [{"name": "http", "protocol": "HTTP", "port": port}]}
    )


def backend(name: str, port: int) -> str:
    return document("sampan.dev/v1alpha1", "Backend", name) + _json(
        {"endpoints": [{"address": "127.0.0.1", "port": port}]}
    )


def route(name: str, backends: Mapping[str, int], *, host: str = "shop.example", path: str = "/") -> str:
    """To Backends by weight."""
    refs = [
        {"group": "sampan.dev", "kind": "Backend", "name": name, "weight": weight} for name, weight in backends.items()
    ]
    return _route(name, refs, host, path)


def route_to_service(name: str, service: str, *, host: str = "shop.example", path: str = "/") -> str:
    return _route(name, [{"name": service, "port": 80}], host, path)


def _route(name: str, refs: Sequence[Mapping[str, object]], host: str, path: str) -> str:
    rule = {"matches": [{"path": {"type": "PathPrefix", "value": path}}], "backendRefs": refs}
    return document("gateway.networking.k8s.io/v1", "HTTPRoute", name) + _json(
        {"parentRefs": [{"name": "shop"}], "hostnames": [host], "rules": [rule]}
    )


def raw_route(name: str, target: str, regex: str) -> str:
    """Puts an unchecked regular expression into the route: `(` is one that Envoy refuses, naming nothing."""
    return document("sampan.dev/v1alpha1", "RawRoute", name) + _json(
        {
            "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": target}],
            "pathRegex": regex,
        }
    )


def document(version: str, kind: str, name: str) -> str:
    return f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: "


def _json(spec: Mapping[str, object]) -> str:
    return json.dumps(spec) + "\n"


def joined(*documents: str) -> str:
    return "---\n".join(documents)
