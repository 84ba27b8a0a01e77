"""Where a registry listens. The real process: tests/registry."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sampan.registry import place
from sampan.registry.place import Address, Announcement, PlaceError

SERVING = Announcement("127.0.0.1:8500", "127.0.0.1:8600", "dc1", os.getpid())


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8500", Address("127.0.0.1", 8500)),
        ("localhost:0", Address("localhost", 0)),
        ("[::1]:8500", Address("::1", 8500)),
        (":8500", Address("0.0.0.0", 8500)),
    ],
)
def test_places(text: str, address: Address) -> None:
    assert place.parse(text) == address


@pytest.mark.parametrize(
    "text", ["", "8500", "127.0.0.1", "::1:8500", "http://127.0.0.1:8500", "a:70000", "a:x", "a b:1"]
)
def test_what_is_no_place(text: str) -> None:
    with pytest.raises(PlaceError, match="no HOST:PORT, such as"):
        place.parse(text)


@pytest.mark.parametrize("text", ["127.0.0.1:1", "127.8.0.1:1", "[::1]:1", "localhost:1"])
def test_on_this_machine_nobody_needs_a_token(text: str) -> None:
    place.check_open(place.parse(text), "")


@pytest.mark.parametrize("text", ["0.0.0.0:1", ":1", "[::]:1", "192.0.2.1:1", "registry.example:1"])
def test_elsewhere_everybody_does(text: str) -> None:
    with pytest.raises(PlaceError, match="without a token"):
        place.check_open(place.parse(text), "")
    place.check_open(place.parse(text), "secret")


def test_the_file_is_there_while_it_serves(tmp_path: Path) -> None:
    assert place.read(tmp_path) is None
    with place.announced(tmp_path, SERVING):
        assert place.read(tmp_path) == SERVING
        assert (tmp_path / "registry.json").stat().st_mode & 0o777 == 0o600
        assert [path.name for path in tmp_path.iterdir()] == ["registry.json"]
    assert place.read(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"http": "a:1", "dns": "", "datacenter": "dc1", "pid": "x"}'])
def test_a_file_that_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "registry.json").write_text(text)
    assert place.read(tmp_path) is None


def test_any_port_is_the_same_one_after_a_crash(tmp_path: Path) -> None:
    anything = Address("127.0.0.1", 0)
    assert place.again(tmp_path, anything, "http") == anything
    with place.announced(tmp_path, SERVING):
        assert place.again(tmp_path, anything, "http") == Address("127.0.0.1", 8500)
        assert place.again(tmp_path, anything, "dns") == Address("127.0.0.1", 8600)
        assert place.again(tmp_path, Address("127.0.0.1", 9), "http") == Address("127.0.0.1", 9)
        assert place.again(tmp_path, Address("::1", 0), "http") == Address("::1", 0)


def test_one_that_was_killed_is_not_taken_for_living(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with place.announced(tmp_path, SERVING):
        assert place.living(tmp_path) == SERVING
    with place.announced(tmp_path, replace(SERVING, pid=ended.pid)):
        assert place.read(tmp_path) is not None
        assert place.living(tmp_path) is None
