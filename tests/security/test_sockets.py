"""Whatever is said to the sockets, and whoever has the state folder: no harm."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from sampan.cli.problem import UserError
from sampan.cli.state import prepare

from ..daemon.conftest import Echo, Sampan, backend, gateway, joined, route

pytestmark = pytest.mark.envoy

SUPERVISOR, API, XDS = "supervisor.sock", "api.sock", "xds.sock"


@pytest.fixture
def serving(sampan: Sampan, one: Echo) -> Sampan:
    sampan.write("all.yaml", joined(gateway(sampan.port), backend("one", one.port), route("a", {"one": 1})))
    sampan.start()
    sampan.until_answer("one")
    sampan.until_ready()
    return sampan


def opened(serving: Sampan, name: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(5)
    try:
        connection.connect(os.path.realpath(serving.folder / name))
    except OSError:
        connection.close()
        raise
    return connection


def resident(pid: int) -> int:
    """Bytes of memory in use, of which only growth says something."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("name", [SUPERVISOR, API, XDS])
def test_a_line_without_end_is_cut_short(serving: Sampan, name: str) -> None:
    assert serving.process is not None
    pids = [serving.process.pid, serving.children()["control"]]
    before = [resident(pid) for pid in pids]
    with opened(serving, name) as connection, suppress(OSError):
        for _ in range(64):
            connection.sendall(b"a" * (1 << 20))
    grown = [resident(pid) - old for pid, old in zip(pids, before, strict=True)]
    assert max(grown) < 40 << 20
    assert serving.ready()
    assert serving.ask() == (200, "one")


@pytest.mark.parametrize("name", [SUPERVISOR, API, XDS])
def test_silent_connections_keep_nobody_out(serving: Sampan, one: Echo, name: str) -> None:
    children = serving.children()
    with ExitStack() as stack:
        for _ in range(200):
            with suppress(OSError):  # the last of them may find the queue full
                stack.enter_context(opened(serving, name)).send(b"G")
        serving.write("more.yaml", route("more", {"one": 1}, host="more.example"))
        serving.until_answer("one", host="more.example")
        assert serving.ready()
    assert serving.children() == children


@pytest.mark.parametrize(
    "request_",
    [
        b"DELETE /v1/objects HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /v1/objects?kind=%00&name=../../etc HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /v1/describe?kind=Gateway&namespace=default&name=%ff%0a HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /v1/config/..%2f..%2fstate.db HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /../../etc/passwd HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /v1/config?proxy=../../x HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST /v1/objects HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n",
        b"GET /v1/proxies HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01",
    ],
    ids=range(9),
)
def test_odd_questions_are_answered_or_refused(serving: Sampan, request_: bytes) -> None:
    with opened(serving, API) as connection:
        connection.sendall(request_)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        with suppress(OSError):
            while part := connection.recv(1 << 16):
                answer += part
    assert not answer.startswith(b"HTTP/1.1 5")
    assert b"root:" not in answer
    assert b"SQLite" not in answer
    assert serving.ready()
    assert "Traceback" not in serving.log


def up(documents: Path, state: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sampan.cli", "up", "-f", str(documents), "--state", str(state)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("mode", [0o770, 0o750, 0o720, 0o701, 0o707])
def test_a_state_folder_that_others_may_enter_is_refused(folder: Path, mode: int) -> None:
    (folder / "all.yaml").write_text("")
    state = folder / "state"
    state.mkdir()
    state.chmod(mode)
    done = up(folder / "all.yaml", state)
    assert done.returncode != 0
    assert "open to other users" in done.stderr
    assert f"chmod 700 {state}" in done.stderr
    assert list(state.iterdir()) == []


@pytest.mark.root
@pytest.mark.parametrize("through", ["itself", "a link"])
def test_a_state_folder_of_another_user_is_refused(folder: Path, through: str) -> None:
    (folder / "all.yaml").write_text("")
    state = folder / "state"
    state.mkdir(mode=0o700)
    os.chown(state, 12345, 12345)
    if through == "a link":
        (folder / "link").symlink_to(state)
    done = up(folder / "all.yaml", state if through == "itself" else folder / "link")
    assert done.returncode != 0
    assert "belongs to another user" in done.stderr
    assert list(state.iterdir()) == []
    assert stat.S_IMODE(state.stat().st_mode) == 0o700


@pytest.mark.root
def test_a_link_of_another_user_is_refused(folder: Path) -> None:
    """It may lead to a folder that is ours, and into which no state belongs."""
    state = folder / "ours"
    state.mkdir(mode=0o700)
    (folder / "link").symlink_to(state)
    os.lchown(folder / "link", 65534, 65534)
    with pytest.raises(UserError, match="belongs to another user"):
        prepare(folder / "link")
    assert list(state.iterdir()) == []


def test_folders_on_the_way_are_made_for_their_user_alone(folder: Path) -> None:
    mask = os.umask(0)
    try:
        prepare(folder / "a" / "b" / "c")
    finally:
        os.umask(mask)
    assert [stat.S_IMODE((folder / name).stat().st_mode) for name in ("a", "a/b", "a/b/c")] == [0o700] * 3
