"""The registry's process: where it says that it serves, and what a kill leaves."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from sampan.registry import place

COMMAND = [sys.executable, "-m", "sampan.registry", "--dns", "off"]


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [*COMMAND, "--state", str(folder), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def leader(address: str) -> str:
    connection = HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", "/v1/status/leader")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def test_its_folder_says_where_it_serves_until_it_ends(tmp_path: Path) -> None:
    with started(tmp_path, "--http", "127.0.0.1:0") as process:
        http = json.loads(said(process))["http"]
        found = place.read(tmp_path)
        assert found == place.Announcement(http, "", "dc1", process.pid)
        assert leader(http).startswith('"')
        process.terminate()
        assert process.wait(10) == 0
    assert place.read(tmp_path) is None


def test_for_a_log_it_says_so_in_words(tmp_path: Path) -> None:
    with started(tmp_path, "--http", "127.0.0.1:0", "--ready", "words") as process:
        line = said(process)
        found = place.read(tmp_path)
        assert found is not None
        assert line == f"serves Consul's HTTP API at http://{found.http}\n"


def test_after_a_kill_it_is_where_it_was(tmp_path: Path) -> None:
    ports = []
    for _ in range(2):
        with started(tmp_path, "--http", "127.0.0.1:0") as process:
            ports.append(json.loads(said(process))["http"])
            process.kill()
            process.wait(10)
    assert ports[0] == ports[1]


def test_not_for_everybody_without_a_token(tmp_path: Path) -> None:
    command = [*COMMAND, "--state", str(tmp_path), "--http", "0.0.0.0:0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "set $SAMPAN_REGISTRY_TOKEN, or listen on 127.0.0.1" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_taken_port_is_a_sentence(tmp_path: Path) -> None:
    with started(tmp_path / "one", "--http", "127.0.0.1:0") as process:
        http = json.loads(said(process))["http"]
        command = [*COMMAND, "--state", str(tmp_path / "two"), "--http", http]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr == f"error: the registry cannot listen on {http}: Address already in use\n"


@pytest.mark.parametrize("line", [b"GET /" + b"x" * 200_000 + b" HTTP/1.1", b"GET / HTTP/1.1\r\nno header"])
def test_what_is_no_http_fills_no_log(tmp_path: Path, line: bytes) -> None:
    with started(tmp_path, "--http", "127.0.0.1:0") as process:
        host, port = json.loads(said(process))["http"].split(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(line + b"\r\n\r\n")
            assert connection.recv(1 << 16).startswith(b"HTTP/1.0 400")
        process.terminate()
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def asking(address: str, path: str) -> HTTPConnection:
    connection = HTTPConnection(address, timeout=30)
    connection.request("GET", path)
    return connection


def until_waiting(address: str, count: int) -> None:
    def waiting() -> int:
        connection = asking(address, "/v1/agent/metrics")
        gauges = json.loads(connection.getresponse().read())["Gauges"]
        connection.close()
        return next(int(gauge["Value"]) for gauge in gauges if gauge["Name"] == "consul.rpc.queries_blocking")

    deadline = time.monotonic() + 20
    while waiting() != count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_whoever_hangs_up_does_not_wait_on(tmp_path: Path) -> None:
    with started(tmp_path, "--http", "127.0.0.1:0") as process:
        http = json.loads(said(process))["http"]
        connection = asking(http, "/v1/catalog/services?index=1000000&wait=10m")
        until_waiting(http, 1)
        connection.close()
        until_waiting(http, 0)


def test_at_the_end_whoever_waits_is_answered(tmp_path: Path) -> None:
    with started(tmp_path, "--http", "127.0.0.1:0") as process:
        http = json.loads(said(process))["http"]
        connection = asking(http, "/v1/catalog/services?index=1000000&wait=10m")
        until_waiting(http, 1)
        process.terminate()
        assert connection.getresponse().status == 200
        connection.close()
        assert process.wait(10) == 0
