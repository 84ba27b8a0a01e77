"""Files and folders that this user may not read, and links that lead nowhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .test_mistakes import basis


def check(folder: Path) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit status, and what is said of each file; without the right of root to read everything."""
    command = [sys.executable, "-m", "sampan.cli", "check", str(folder), "-o", "json"]
    if os.geteuid() == 0:
        if not (setpriv := shutil.which("setpriv")):
            pytest.skip("there is no setpriv")
        command = [setpriv, "--bounding-set=-dac_override,-dac_read_search", *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, {Path(item["file"]).name: item for item in json.loads(done.stdout)["items"]}


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "basis.yaml").write_text(basis())
    (tmp_path / "file.yaml").write_text("a: b\n")
    (tmp_path / "file.yaml").chmod(0)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "hidden.yaml").write_text("a: b\n")
    (tmp_path / "folder").chmod(0)
    yield tmp_path
    (tmp_path / "folder").chmod(0o700)


def test_what_may_not_be_read_is_named_and_the_rest_is_read(closed: Path) -> None:
    (closed / "bad.yaml").write_text("kind: [\n")
    status, said = check(closed)
    assert status == 1
    assert {name: item["code"] for name, item in said.items()} == {
        "file.yaml": "SMP0202",
        "folder": "SMP0202",
        "bad.yaml": "SMP0104",
    }
    for name in ("file.yaml", "folder"):
        assert "ermission" in said[name]["reason"]
        assert said[name]["hint"]


def test_a_link_that_leads_nowhere_is_named_and_an_editors_lock_is_not(tmp_path: Path) -> None:
    """Emacs locks a file by a link that leads nowhere, `.#name`."""
    (tmp_path / "basis.yaml").write_text(basis())
    (tmp_path / ".#basis.yaml").symlink_to("user@machine.123:456")
    assert check(tmp_path) == (0, {})
    (tmp_path / "away.yaml").symlink_to("nowhere.yaml")
    status, said = check(tmp_path)
    assert (status, {name: item["code"] for name, item in said.items()}) == (1, {"away.yaml": "SMP0202"})
