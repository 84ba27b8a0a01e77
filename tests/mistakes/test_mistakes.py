"""Each mistake is told at its place, all at once, and harms nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ..daemon.conftest import Echo, Sampan, backend, gateway, joined, route, until
from .cases import FINE, MISTAKES, Mistake


def check(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sampan.cli", "check", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def basis(port: int = 18390, upstream: int = 18389) -> str:
    return joined(gateway(port), backend("one", upstream), route("good", {"one": 1}))


def told(mistake: Mistake, items: list[dict[str, Any]]) -> dict[str, Any] | None:
    mine = [item for item in items if Path(item["file"]).name == mistake.place]
    return next((item for item in mine if item["code"] == mistake.code), None)


def test_check_tells_all_of_them_at_once(tmp_path: Path) -> None:
    (tmp_path / "basis.yaml").write_text(basis())
    for mistake in MISTAKES:
        mistake.make(tmp_path)
    for make in FINE:
        make(tmp_path)
    done = check(tmp_path, "-o", "json")
    assert done.returncode == 1, done.stderr
    items = json.loads(done.stdout)["items"]
    for mistake in MISTAKES:
        item = told(mistake, items)
        assert item is not None, (mistake.name, [found for found in items if mistake.name in found["file"]])
        assert item["reason"], mistake.name
        assert item["hint"] or mistake.code == "SMP0109", mistake.name  # "expected a number, found text" says it all
        assert mistake.line in (0, item["line"]), (mistake.name, item)
        assert mistake.field in ("", item["field"]), (mistake.name, item)
        assert mistake.hint in item["hint"], (mistake.name, item)
    known = {mistake.place for mistake in MISTAKES}
    assert {Path(item["file"]).name for item in items} <= known, "what is no mistake is told of"
    assert "Traceback" not in done.stderr


def test_without_a_mistake_check_is_content(tmp_path: Path) -> None:
    (tmp_path / "basis.yaml").write_text(basis())
    for make in FINE:
        make(tmp_path)
    done = check(tmp_path, "--strict")
    assert (done.returncode, done.stdout) == (0, ""), done.stdout


def test_an_expired_certificate_is_told(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(Path(__file__).with_name("expired.yaml").read_text())
    done = check(tmp_path, "-o", "json")
    (item,) = json.loads(done.stdout)["items"]
    assert (item["code"], done.returncode) == ("SMP0309", 1)


def test_ten_thousand_files(tmp_path: Path) -> None:
    (tmp_path / "basis.yaml").write_text(basis())
    for number in range(10_000):
        folder = tmp_path / f"{number % 50:02d}"
        folder.mkdir(exist_ok=True)
        (folder / f"{number}.yaml").write_text(
            f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{number}}}\ndata: {{}}\n"
        )
    (tmp_path / "07" / "bad.yaml").write_text("kind: [\n")
    done = check(tmp_path, "-o", "json")
    found = json.loads(done.stdout)
    assert [item["code"] for item in found["items"]] == ["SMP0104"]
    assert found["files"] == 10_002


@pytest.mark.envoy
def test_each_of_them_harms_nothing_else(sampan: Sampan, one: Echo) -> None:
    sampan.write("basis.yaml", basis(sampan.port, one.port))
    sampan.start()
    sampan.until_answer("one")
    with sampan.load() as seen:
        for mistake in MISTAKES:
            mistake.make(sampan.documents)
            until(
                lambda found=mistake: told(found, sampan.diagnostics()),
                lambda found=mistake: (found, sampan.diagnostics()),
            )
            assert sampan.ask() == (200, "one"), mistake.name
        sampan.write("later.yaml", route("later", {"one": 1}, host="later.example"))
        sampan.until_answer("one", host="later.example")
        for mistake in MISTAKES:
            (sampan.documents / mistake.place).unlink()
        until(lambda: not sampan.diagnostics(), sampan.diagnostics)
    assert set(seen) == {200}
    assert "Traceback" not in sampan.log
    assert sampan.children()["control"], "the control plane is there"


@pytest.mark.envoy
def test_a_folder_that_vanishes_and_returns(sampan: Sampan, one: Echo) -> None:
    sampan.write("basis.yaml", basis(sampan.port, one.port))
    sampan.start()
    sampan.until_answer("one")
    with sampan.load() as seen:
        away = sampan.documents.with_name("away")
        sampan.documents.rename(away)
        sampan.until_diagnostic("SMP0204")
        assert sampan.ask() == (200, "one")
        away.rename(sampan.documents)
        until(lambda: not sampan.diagnostics(), sampan.diagnostics)
        sampan.write("more.yaml", route("more", {"one": 1}, host="more.example"))
        sampan.until_answer("one", host="more.example")
    assert set(seen) == {200}


@pytest.mark.envoy
def test_a_thousand_quick_edits(sampan: Sampan, one: Echo, two: Echo) -> None:
    sampan.write("basis.yaml", joined(gateway(sampan.port), backend("one", one.port), backend("two", two.port)))
    sampan.write("route.yaml", route("good", {"one": 1}))
    sampan.start()
    sampan.until_answer("one")
    with sampan.load() as seen:
        for number in range(500):
            sampan.write("route.yaml", route("good", {"one" if number % 2 else "two": 1}, path=f"/{number % 3}"))
            sampan.write("kept.yaml", route("kept", {"one": 1}))
        sampan.write("route.yaml", route("good", {"two": 1}, path="/final"))
        sampan.until_answer("two", "/final")
    assert set(seen) == {200}
