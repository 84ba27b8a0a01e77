"""What must not be lost, and who must not stop whom: kills, torn files, a full disk, clients that do not read."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPException
from pathlib import Path

import aiohttp
import pytest

from sampan.registry.place import TOKEN_VARIABLE

from .serving import Serving, refused, serving

TTL = {"TTL": "1h"}
READERS = 1000


@pytest.mark.parametrize("acknowledged", [1, 9, 60, 300])
def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path, acknowledged: int) -> None:
    """Four clients write while the process is killed: what each was told is there, what it was not told is whole."""
    with serving(tmp_path) as registry:
        written: list[list[tuple[str, str]]] = [[] for _ in range(4)]
        enough = threading.Event()
        threads = [
            threading.Thread(target=_write, args=(registry, f"w{number}", told, written, acknowledged, enough))
            for number, told in enumerate(written)
        ]
        for thread in threads:
            thread.start()
        assert enough.wait(60)
        registry.process.kill()
        for thread in threads:
            thread.join(30)
    with serving(tmp_path) as registry:
        services, checks = registry.get("/v1/agent/services").json, registry.get("/v1/agent/checks").json
        for told in written:
            last = dict(told)
            for service_id, what in last.items():
                if what == "registered":
                    assert service_id in services
                    assert f"service:{service_id}" in checks
        whole = {f"service:{service_id}" for service_id in services}
        assert set(checks) == whole, "a service without its check, or a check without its service"


def _write(
    registry: Serving,
    name: str,
    told: list[tuple[str, str]],
    written: list[list[tuple[str, str]]],
    enough: int,
    reached: threading.Event,
) -> None:
    """Registers, and deregisters every third, until the process is gone; notes what was acknowledged.

    What was being done when the process went may be done or not: it is not noted as either.
    """
    with closing(Serving(registry.process, registry.address)) as own:
        number = 0
        while True:
            number += 1
            service_id = f"{name}-{number}"
            try:
                assert own.register(name, ID=service_id, Check=TTL).status == 200
                told.append((service_id, "registered"))
                if number % 3 == 0:
                    told.append((service_id, "unknown"))
                    assert own.put(f"/v1/agent/service/deregister/{service_id}").status == 200
            except (OSError, HTTPException):
                return
            if sum(map(len, written)) >= enough:
                reached.set()


def test_a_restart_goes_on_with_the_index(tmp_path: Path) -> None:
    with serving(tmp_path) as registry:
        registry.register("web", Check=TTL)
        before = registry.get("/v1/health/service/web")
    with serving(tmp_path) as registry:
        again = registry.get("/v1/health/service/web")
        assert again.json == before.json
        assert again.index >= before.index
        registry.register("api")
        assert registry.get("/v1/catalog/services").index > again.index


def test_the_end_of_the_log_may_be_torn(tmp_path: Path) -> None:
    """As after a power cut: the last writes may be gone, and what is there is whole."""
    with serving(tmp_path) as registry:
        for number in range(50):
            registry.register("web", ID=f"web-{number}", Check=TTL)
    log = tmp_path / "registry.db-wal"
    os.truncate(log, log.stat().st_size - 1000)
    with serving(tmp_path) as registry:
        services, checks = registry.get("/v1/agent/services").json, registry.get("/v1/agent/checks").json
        assert "web-40" in services
        assert set(checks) == {f"service:{service_id}" for service_id in services}


@pytest.mark.parametrize("kind", ["torn", "text", "another database", "a row that is no JSON"])
def test_a_file_that_is_no_good_is_refused_and_left_as_it_is(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "registry.db"
    with serving(tmp_path) as registry:
        for number in range(200):
            registry.register("web", ID=f"web-{number}", Check=TTL)
        registry.process.terminate()
        assert registry.process.wait(20) == 0
    _spoil(path, kind)
    before = path.read_bytes()
    sentence = refused(tmp_path, "--http", "127.0.0.1:0")
    assert sentence.startswith(f"error: {path} cannot be used")
    assert "move it away" in sentence
    assert path.read_bytes() == before


def _spoil(path: Path, kind: str) -> None:
    if kind == "torn":
        os.truncate(path, path.stat().st_size // 2)
    elif kind == "text":
        path.write_text("my notes\n" * 1000)
    elif kind == "another database":
        path.unlink()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE mine (x)")
    else:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE row SET body='{' WHERE tab='services' AND key LIKE '%web-7'")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux sets another process's limits")
def test_a_full_disk_refuses_writes_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with serving(tmp_path) as registry:
        registry.register("before", Check=TTL)
        before = registry.get("/v1/health/service/before")
        resource.prlimit(registry.process.pid, resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
        full = registry.register("full", Check=TTL)
        assert full.status == 500
        assert full.text.startswith(f"{tmp_path}/registry.db cannot be written: ")
        assert full.text.endswith("; nothing was changed")
        assert registry.put("/v1/agent/service/deregister/before").status == 500
        assert registry.put("/v1/agent/check/pass/service:before").status == 500
        assert registry.get("/v1/agent/services").json.keys() == {"before"}
        assert registry.get("/v1/agent/checks").json.keys() == {"service:before"}
        after = registry.get("/v1/health/service/before")
        assert (after.index, after.json) == (before.index, before.json)
        resource.prlimit(registry.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        assert registry.register("room", Check=TTL).status == 200
        assert registry.put("/v1/agent/check/pass/service:before").status == 200
    with serving(tmp_path) as registry:
        assert registry.get("/v1/agent/services").json.keys() == {"before", "room"}
        assert registry.get("/v1/agent/checks").json["service:before"]["Status"] == "passing"


@contextmanager
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = READERS * 2 + 200
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"no more than {hard} files may be open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_thousand_who_wait_are_told_with_one_body(tmp_path: Path) -> None:
    with many_files(), serving(tmp_path) as registry:
        registry.register("web", ID="web-1")
        index = registry.get("/v1/health/service/web").index

        async def ask() -> list[bytes]:
            path = f"http://{registry.address}/v1/health/service/web?index={index}&wait=60s"
            connector = aiohttp.TCPConnector(limit=0)
            async with aiohttp.ClientSession(connector=connector) as client:
                tasks = [asyncio.create_task(_body(client, path)) for _ in range(READERS)]
                await asyncio.to_thread(registry.until_waiting, READERS)
                await asyncio.to_thread(registry.register, "web", ID="web-2")
                return await asyncio.gather(*tasks)

        bodies = asyncio.run(ask())
        assert len(bodies) == READERS
        assert set(bodies) == {registry.get("/v1/health/service/web").body}
        assert [entry["Service"]["ID"] for entry in json.loads(bodies[0])] == ["web-1", "web-2"]


async def _body(client: aiohttp.ClientSession, path: str) -> bytes:
    async with client.get(path) as answer:
        return await answer.read()


def test_a_thousand_who_do_not_read_stop_nobody(tmp_path: Path) -> None:
    """Each is owed a megabyte. The others are answered meanwhile, and the process holds no thousand of them."""
    with many_files(), serving(tmp_path) as registry:
        meta = {f"key-{number}": "x" * 500 for number in range(60)}
        for number in range(32):
            registry.register("large", ID=f"large-{number}", Meta=meta)
        answer = registry.get("/v1/health/service/large")
        assert len(answer.body) > 1_000_000
        host, port = registry.address.split(":")
        question = f"GET /v1/health/service/large?index={answer.index}&wait=60s HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        with ExitStack() as held:
            for _ in range(READERS):
                reader = held.enter_context(socket.create_connection((host, int(port))))
                reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                reader.sendall(question)
            registry.until_waiting(READERS)
            before = _resident(registry)
            assert registry.register("large", ID="large-0").status == 200
            slowest = 0.0
            for number in range(50):
                start = time.monotonic()
                assert registry.register("other", ID=f"other-{number}").status == 200
                assert f"other-{number}" in registry.ids("other")
                slowest = max(slowest, time.monotonic() - start)
            assert slowest < 2.0
            assert _resident(registry) - before < 150 << 20


def test_who_goes_away_waits_no_longer(tmp_path: Path) -> None:
    with serving(tmp_path) as registry:
        host, port = registry.address.split(":")
        question = b"GET /v1/catalog/services?index=1000&wait=10m HTTP/1.1\r\nHost: x\r\n\r\n"
        with ExitStack() as held:
            for _ in range(50):
                held.enter_context(socket.create_connection((host, int(port)))).sendall(question)
            registry.until_waiting(50)
        registry.until_waiting(0)


def _resident(registry: Serving) -> int:
    pages = Path(f"/proc/{registry.process.pid}/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


@pytest.mark.parametrize("how", ["X-Consul-Token", "Authorization", "token"])
def test_elsewhere_than_on_loopback_it_wants_its_token(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "secret")
    with serving(tmp_path, "--http", "0.0.0.0:0") as registry:
        port = registry.address.rpartition(":")[2]
        with closing(Serving(registry.process, f"127.0.0.1:{port}")) as client:
            for path in ("/v1/agent/services", "/v1/kv/a", "/v1/nothing", "/v1/agent/services?token=wrong"):
                answer = client.get(path)
                assert answer.status == 403
                assert "X-Consul-Token" in answer.text
            assert client.register("web").status == 403
            sent = {"X-Consul-Token": "secret", "Authorization": "Bearer secret"}
            headers = {how: sent[how]} if how in sent else {}
            answer = client.get("/v1/agent/services" + ("" if headers else "?token=secret"), **headers)
            assert (answer.status, answer.json) == (200, {})


def test_elsewhere_than_on_loopback_it_does_not_start_without_a_token(tmp_path: Path) -> None:
    sentence = refused(tmp_path, "--http", "0.0.0.0:0")
    assert sentence.startswith("error: at 0.0.0.0:0 everybody who reaches this machine could register")
    assert not (tmp_path / "registry.db").exists()
