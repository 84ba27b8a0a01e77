"""`sampan up` up to the moment where the supervisor takes its place, and `sampan down` against a fake supervisor."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import Result

from sampan.proxy import arguments, paths

Run = Callable[..., Result]

WITHOUT_FILES = "no files are named: documents come from the registry's KV, where `sampan apply -f PATH` puts them\n"


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What `sampan up` would have become."""
    arguments: list[str] = []
    monkeypatch.setattr("os.execv", lambda _, given: arguments.extend(given))
    return arguments


@pytest.fixture
def document(folder: Path) -> Path:
    path = folder / "shop.yaml"
    path.write_text("kind: Gateway\n")
    return path


@pytest.fixture
def envoy(folder: Path) -> str:
    path = folder / "envoy"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


def test_up_becomes_the_supervisor(sampan: Run, folder: Path, document: Path, envoy: str, executed: list[str]) -> None:
    result = sampan("up", "-f", str(document), "--envoy", envoy, "--drain-seconds", "3", "--concurrency", "2")
    assert (result.exit_code, result.output) == (0, "")
    options = arguments.parse(executed[executed.index("sampan.proxy.supervisor") + 1 :])
    assert options.runtime == folder
    assert options.envoy == str(Path(envoy).resolve())
    assert options.drain_seconds == 3
    assert "sampan.xds.replay" in options.replay_command
    control = options.command
    assert control[control.index("-m") + 1] == "sampan.daemon"
    assert control[control.index("--file") + 1] == str(document)
    assert control[control.index("--runtime") + 1] == str(folder)
    assert control[control.index("--concurrency") + 1] == "2"
    assert options.companion == []
    assert "--registry" not in control


def test_up_starts_a_registry_beside_it(sampan: Run, folder: Path, envoy: str, executed: list[str]) -> None:
    (folder / "registry.json").write_text("of one that was killed")
    result = sampan("up", "--envoy", envoy, SAMPAN_REGISTRY="127.0.0.1:0", SAMPAN_REGISTRY_DNS="off")
    assert (result.exit_code, result.output) == (0, WITHOUT_FILES)
    options = arguments.parse(executed[executed.index("sampan.proxy.supervisor") + 1 :])
    ((name, command),) = options.companion
    assert name == "registry"
    assert command[command.index("-m") + 1] == "sampan.registry"
    assert command[command.index("--state") + 1] == str(folder)
    assert command[command.index("--http") + 1] == "127.0.0.1:0"
    assert command[command.index("--dns") + 1] == "off"
    assert options.command[options.command.index("--registry") + 1] == "127.0.0.1:0"
    assert not (folder / "registry.json").exists()


def test_up_goes_by_a_consul_and_starts_none(sampan: Run, folder: Path, envoy: str, executed: list[str]) -> None:
    token = folder / "token"
    token.write_text("secret")
    result = sampan(
        *("up", "--envoy", envoy, "--consul", "http://127.0.0.1:1", "--consul-token-file", str(token)),
        *("--consul-datacenter", "paris", "--consul-datacenter", "lyon"),
    )
    assert (result.exit_code, result.output) == (0, WITHOUT_FILES)
    options = arguments.parse(executed[executed.index("sampan.proxy.supervisor") + 1 :])
    assert options.companion == []
    assert options.command[options.command.index("--consul") + 1] == "http://127.0.0.1:1"
    assert options.command.count("--consul-datacenter") == 2
    assert "secret" not in " ".join(executed)


def test_a_taken_port_of_the_registry_starts_nothing(
    sampan: Run, folder: Path, envoy: str, executed: list[str]
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        result = sampan("up", "--envoy", envoy, "--registry", f"127.0.0.1:{port}")
    assert result.exit_code == 1
    assert f"127.0.0.1:{port}, where the registry is to listen, is taken by" in result.stderr
    assert executed == []


def test_consuls_own_variable_is_told_and_not_followed(sampan: Run, envoy: str, executed: list[str]) -> None:
    result = sampan("up", "--envoy", envoy, "--registry", "127.0.0.1:0", CONSUL_HTTP_ADDR="http://consul.example:80")
    assert result.exit_code == 0
    assert result.stderr.startswith("warning: CONSUL_HTTP_ADDR sends clients to http://consul.example:80, ")
    assert "--consul" not in executed


def test_relative_paths_become_absolute(
    sampan: Run, document: Path, envoy: str, executed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(document.parent)
    assert sampan("up", "-f", "shop.yaml", "--envoy", envoy).exit_code == 0
    assert executed[executed.index("--file") + 1] == str(document)


def test_the_state_folder_is_made_for_its_user_alone(
    sampan: Run, folder: Path, document: Path, envoy: str, executed: list[str]
) -> None:
    made = folder / "a" / "b"
    assert sampan("up", "-f", str(document), "--envoy", envoy, "--state", str(made)).exit_code == 0
    assert made.stat().st_mode & 0o777 == 0o700


def test_a_state_folder_open_to_others_is_refused(
    sampan: Run, folder: Path, document: Path, envoy: str, executed: list[str]
) -> None:
    folder.chmod(0o755)
    result = sampan("up", "-f", str(document), "--envoy", envoy)
    assert result.exit_code == 1
    assert "is open to other users" in result.stderr
    assert "chmod 700" in result.stderr
    assert executed == []


def test_without_documents_there_is_nothing_to_run(sampan: Run, executed: list[str]) -> None:
    result = sampan("up")
    assert result.exit_code == 2
    assert result.stderr == (
        "error: there are no documents, and there is no registry that could have some\n"
        "hint: name files or folders with -f PATH\n"
    )


def test_a_path_that_is_not_there(sampan: Run, executed: list[str]) -> None:
    result = sampan("up", "-f", "/nowhere/shop.yaml")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: there is no /nowhere/shop.yaml\n")


def test_a_missing_envoy_is_a_sentence_with_what_to_do(sampan: Run, document: Path, executed: list[str]) -> None:
    result = sampan("up", "-f", str(document), "--envoy", "/nowhere/envoy")
    assert result.exit_code == 1
    assert "there is no Envoy at /nowhere/envoy" in result.stderr
    assert "--envoy PATH" in result.stderr.splitlines()[-1]
    assert executed == []


def test_the_default_state_folder_follows_the_users_session(
    sampan: Run, folder: Path, document: Path, envoy: str, executed: list[str]
) -> None:
    runtime = folder / "run"
    runtime.mkdir()
    common = ("up", "-f", str(document), "--envoy", envoy)
    assert sampan(*common, SAMPAN_STATE="", XDG_RUNTIME_DIR=str(runtime)).exit_code == 0
    assert executed[executed.index("--runtime") + 1] == str(runtime / "sampan")
    executed.clear()
    environment = {"SAMPAN_STATE": "", "XDG_RUNTIME_DIR": "/nowhere", "XDG_STATE_HOME": "", "HOME": str(folder)}
    assert sampan(*common, **environment).exit_code == 0
    assert executed[executed.index("--runtime") + 1] == str(folder / ".local/state/sampan")


@contextmanager
def fake_supervisor(folder: Path) -> Iterator[list[str]]:
    """Holds the lock and answers the control protocol until it is asked to end."""
    operations: list[str] = []
    lock = os.open(paths.lock_file(folder), os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(paths.supervisor_socket(folder)))
        listening.listen()

        def serve() -> None:
            with listening.accept()[0] as connection, connection.makefile("rwb") as stream:
                for line in stream:
                    operations.append(json.loads(line)["op"])
                    stream.write(json.dumps({"protocol": 1, "pid": 4711, "ok": True}).encode() + b"\n")
                    stream.flush()
            if "down" in operations:
                os.close(lock)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield operations
        finally:
            thread.join()
            if "down" not in operations:
                os.close(lock)


def test_a_second_one_is_refused(sampan: Run, folder: Path, document: Path, envoy: str, executed: list[str]) -> None:
    with fake_supervisor(folder) as operations:
        result = sampan("up", "-f", str(document), "--envoy", envoy)
    assert operations == ["hello"]
    assert result.exit_code == 1
    assert f"already running at {folder} (pid 4711)" in result.stderr
    assert "`sampan down`" in result.stderr
    assert executed == []


def test_down_asks_and_waits(sampan: Run, folder: Path) -> None:
    with fake_supervisor(folder) as operations:
        result = sampan("down")
    assert operations == ["down"]
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "stopped\n")


def test_down_says_so_when_draining_takes_longer(sampan: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sampan.cli.running._locked", lambda _: True)
    with fake_supervisor(folder):
        result = sampan("down", "--timeout", "0.01")
    assert result.exit_code == 1
    assert "still draining after 0.01 s" in result.stderr
