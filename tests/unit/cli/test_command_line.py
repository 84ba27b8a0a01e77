"""The frame: help, versions, wrong usage, errors as lines, exit codes, and what is imported."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from sampan.cli.main import COMMANDS

Run = Callable[..., Result]


def test_help_names_every_command_with_its_first_sentence(sampan: Run) -> None:
    result = sampan("--help")
    assert result.exit_code == 0
    assert result.stderr == ""
    for command in COMMANDS:
        line = next(line for line in result.stdout.splitlines() if line.split()[:1] == [command])
        assert len(line.split()) > 3
        assert "..." not in line


def test_sampan_alone_shows_the_help(sampan: Run) -> None:
    assert sampan().stdout == sampan("--help").stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(sampan: Run, command: str) -> None:
    result = sampan(command, "-h")
    assert result.exit_code == 0
    assert f"Usage: sampan {command} [OPTIONS]" in result.stdout


def test_version_names_envoy_too(sampan: Run) -> None:
    result = sampan("--version")
    assert result.exit_code == 0
    assert result.stdout.startswith("sampan 0.")
    assert "(envoy 1." in result.stdout
    assert sampan("version").stdout == result.stdout
    assert '"envoy": "1.' in sampan("version", "-o", "json").stdout


def test_the_version_of_a_chosen_envoy_is_asked_of_it(sampan: Run, folder: Path) -> None:
    envoy = folder / "envoy"
    envoy.write_text("#!/bin/sh\necho 'envoy  version: 0a1b/1.39.7/Clean/RELEASE/BoringSSL'\n")
    envoy.chmod(0o755)
    assert "(envoy 1.39.7)" in sampan("version", SAMPAN_ENVOY=str(envoy)).stdout


@pytest.mark.parametrize(
    ("arguments", "reason", "hint"),
    [
        (["chek"], "there is no command 'chek'", "did you mean `sampan check`?"),
        (["zzz"], "there is no command 'zzz'", "`sampan --help` lists the commands"),
        (["--nope"], "no such option: --nope", "--help` shows how to call it"),
        (["get"], "missing argument", "get --help` shows how to call it"),
        (["get", "svc", "-o", "xml"], "'xml' is not one of", "get --help` shows how to call it"),
        (["get", "htproute"], "there is no kind 'htproute'", "did you mean httproute?"),
        (["get", "all", "x"], "`all` takes no name", "name a kind"),
        (["describe", "svc"], "which one?", "`sampan get svc` lists them"),
        (["config"], "missing argument", "config --help` shows how to call it"),
    ],
)
def test_wrong_usage_is_an_error_a_hint_and_two(sampan: Run, arguments: list[str], reason: str, hint: str) -> None:
    result = sampan(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert lines[0].startswith("error: ")
    assert reason in lines[0]
    assert lines[-1].startswith("hint: ")
    assert hint in lines[-1]


@pytest.mark.parametrize(
    "arguments", [["get", "svc"], ["describe", "svc", "x"], ["proxies"], ["config", "shop"], ["down"]]
)
def test_nobody_running_is_said_with_the_place(sampan: Run, folder: Path, arguments: list[str]) -> None:
    result = sampan(*arguments)
    assert result.exit_code == 1
    assert result.stderr == f"error: no running sampan found at {folder}\nhint: start it with `sampan up -f PATH`\n"


def test_a_state_folder_too_deep_for_sockets_is_a_sentence(sampan: Run) -> None:
    result = sampan("proxies", "--state", "/tmp/" + "x" * 100)
    assert result.exit_code == 2
    assert "too long for the sockets" in result.stderr
    assert "--state" in result.stderr.splitlines()[-1]


def _modules_after(*arguments: str) -> set[str]:
    code = (
        "import sys\nfrom sampan.cli.main import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stderr.split())


def test_help_loads_nothing_heavy() -> None:
    heavy = {
        "pydantic",
        "rich",
        "yaml",
        "grpc",
        "google.protobuf",
        "asyncio",
        "uvicorn",
        "starlette",
        "sampan.documents",
    }
    # Typer itself loads pydantic where an argument has a type to check.
    assert not (heavy - {"pydantic"}) & _modules_after("--help")
    assert not heavy & _modules_after("--version")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_output_that_cannot_be_written_is_a_sentence() -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "sampan.cli", "--version"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: the output cannot be written: No space left on device\n"


def test_whoever_stops_reading_is_no_mistake(folder: Path) -> None:
    documents = "---\n".join(f"kind: Strange\napiVersion: x{number}/v1\n" for number in range(5000))
    (folder / "many.yaml").write_text(documents)
    command = f"{sys.executable} -m sampan.cli check {folder} | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60, check=False)
    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr
