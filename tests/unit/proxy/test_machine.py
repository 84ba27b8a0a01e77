"""Paths, the binary, ports, and the end of processes: what the machine is asked."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sampan.proxy import binary, paths, ports, processes, sockdiag, watcher


def test_a_runtime_directory_is_too_long_when_its_sockets_would_be() -> None:
    longest = f"{paths.xds_socket(Path('/'))}.4194304"
    room = paths.SOCKET_PATH_BYTES - len(longest)
    assert paths.too_long(Path("/" + "d" * (room - 1))) is None
    assert "choose a shorter one" in str(paths.too_long(Path("/" + "d" * room)))


def test_proxies_have_folders_of_their_own() -> None:
    assert paths.proxy_folder(Path("/run"), "default/shop") == Path("/run/proxies/default~shop")
    assert paths.name_error("default/shop") is None
    longest = [f"{'n' * 63}/{'a' * 252}{last}" for last in "bc"]
    assert [paths.name_error(name) for name in longest] == [None, None]
    folders = {paths.proxy_folder(Path("/run"), name).name for name in longest}
    assert len(folders) == 2
    assert max(map(len, folders)) <= 255


def test_the_packaged_envoy_is_found_and_has_a_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(binary.VARIABLE, raising=False)
    found = binary.find()
    assert found.name == "envoy"
    assert found.is_absolute()


def test_an_override_that_is_wrong_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(binary.VARIABLE, str(tmp_path / "nothing"))
    with pytest.raises(binary.EnvoyMissingError, match=r"no Envoy at .*nothing \(from \$SAMPAN_ENVOY\)"):
        binary.find()
    file = tmp_path / "envoy"
    file.write_text("#!/bin/sh\necho 'version: 0a1b/1.39.3/Clean/RELEASE/BoringSSL'\n")
    with pytest.raises(binary.EnvoyMissingError, match="chmod"):
        binary.find(str(file))
    file.chmod(0o755)
    assert binary.find(str(file)) == file.resolve()
    assert binary.version(file) == (1, 39, 3)
    file.write_text("#!/bin/sh\necho hello\n")
    with pytest.raises(binary.EnvoyMissingError, match="does not look like Envoy"):
        binary.version(file)


def test_a_free_port_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert ports.in_use("127.0.0.1", port) is None


@pytest.mark.skipif(sys.platform != "linux", reason="says who has the port on Linux only")
@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_a_port_that_another_shares_is_in_use_and_by_whom(address: str) -> None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        said = ports.in_use(address, port)
        assert said is not None
        assert said.startswith(f"{address}:{port} is in use by ")
        assert f"(pid {os.getpid()})" in said
        assert [found.port for found in sockdiag.listeners() if found.port == port] == [port]


def test_an_address_that_cannot_be_listened_on_says_why() -> None:
    assert "does not have the address" in str(ports.in_use("192.0.2.1", 8080))
    assert "not an IP address" in str(ports.in_use("localhost", 8080))
    assert "not a port" in str(ports.in_use("127.0.0.1", 70000))


def test_an_end_is_described() -> None:
    assert processes.describe_end(1) == "status 1"
    assert processes.describe_end(-9) == "signal 9 (SIGKILL)"
    assert processes.describe_end(-63) == "signal 63"


def test_the_watcher_kills_what_it_watches_when_its_input_ends() -> None:
    """What stands in, on macOS, for the kernel's parent death signal."""
    kept, killed = (subprocess.Popen(["sleep", "60"], process_group=0) for _ in range(2))
    try:
        said = f"+{kept.pid}\n+{killed.pid}\n-{kept.pid}\n"
        command = [sys.executable, "-I", "-S", watcher.__file__]
        subprocess.run(command, input=said.encode(), timeout=10, check=True)
        assert killed.wait(5) == -9
        assert kept.poll() is None
    finally:
        kept.kill()
        kept.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent death signal is Linux's")
def test_a_child_dies_with_its_parent_however_that_dies() -> None:
    parent = (
        "import subprocess, time; from sampan.proxy.processes import die_with_parent\n"
        "subprocess.Popen(['sleep', '60'], preexec_fn=die_with_parent(), close_fds=False)\n"
        "print(flush=True); time.sleep(60)"
    )
    reading, writing = os.pipe()
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, pass_fds=[writing]) as process:
        os.close(writing)
        process.stdout.readline()  # type: ignore[union-attr]
        process.kill()
    # Both children inherited the pipe: its end is seen when the last holder has gone.
    assert select.select([reading], [], [], 5)[0] == [reading]
    os.close(reading)
