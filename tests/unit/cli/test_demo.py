"""What stops the demo before it starts."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest
from typer.testing import Result

Run = Callable[..., Result]


@pytest.fixture
def envoy(folder: Path) -> str:
    path = folder / "envoy"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("check", [True, False])
def test_a_taken_port_is_a_sentence_with_the_option(sampan: Run, folder: Path, envoy: str, check: bool) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        arguments = ["demo", "--port", port, "--envoy", envoy, "--state", str(folder), "--registry", "127.0.0.1:0"]
        result = sampan(*arguments, *(["--check"] if check else []))
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"error: port {port} is taken by another program",
        "hint: end it, or choose another port with --port",
    ]
    assert not (folder / "demo").exists()


def test_no_envoy_is_a_sentence(sampan: Run) -> None:
    result = sampan("demo", "--envoy", "/nowhere/envoy", "--registry", "127.0.0.1:0")
    assert result.exit_code == 1
    assert "there is no Envoy at /nowhere/envoy" in result.stderr
    assert "--envoy PATH" in result.stderr


def test_the_registrys_taken_port_is_a_sentence_with_the_option(sampan: Run, folder: Path, envoy: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        registry = f"127.0.0.1:{other.getsockname()[1]}"
        result = sampan("demo", "--envoy", envoy, "--state", str(folder), "--registry", registry)
    assert result.exit_code == 1
    assert f"error: {registry}, where the registry is to listen, is taken by " in result.stderr
    assert result.stderr.endswith("\nhint: `--registry 127.0.0.1:PORT` starts it at another port\n")


def test_the_shop_needs_a_registry(sampan: Run, envoy: str) -> None:
    result = sampan("demo", "--envoy", envoy, "--registry", "off")
    assert result.stderr == (
        "error: the shop's services register, and the registry is off\nhint: give it `--registry 127.0.0.1:8500`\n"
    )


def test_a_number_that_is_no_port_is_wrong_usage(sampan: Run) -> None:
    result = sampan("demo", "--port", "70000")
    assert result.exit_code == 2
    assert "--port" in result.stderr


def test_every_route_of_the_shop_has_a_name_in_the_table(sampan: Run) -> None:
    from sampan.cli.demo_gateway import LABELS

    compiled = sampan("compile", str(files("sampan.demo") / "documents"))
    prefixes = set(re.findall(r"stat_prefix: (\w+route/\S+)", compiled.stdout))
    assert prefixes - LABELS.keys() == {"httproute/default/front-page/2"}  # a redirect, which Envoy does not count
    assert LABELS.keys() <= prefixes
