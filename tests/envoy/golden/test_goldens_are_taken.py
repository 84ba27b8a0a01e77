"""The real Envoy takes what every golden case gives: two trials at a time, one process each."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from golden_case import BESIDE, Outcome, cases, outcome

from sampan.compile.settings import Settings
from sampan.envoy.static import static_bootstrap
from sampan.proxy.binary import find

pytestmark = pytest.mark.envoy


def test_every_golden_is_taken(tmp_path: Path) -> None:
    """Endpoints and routes inlined, secrets static (`static_bootstrap`)."""
    trust = tmp_path / "trust.pem"
    text = (BESIDE / "authority.yaml").read_text()
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    block = text[text.index(begin) : text.index(end) + len(end)]
    trust.write_text("\n".join(line.strip() for line in block.splitlines()) + "\n")
    settings = Settings(system_trust=str(trust))
    trials = list(_trials(tmp_path, {case.name: outcome(case, settings) for case in cases()}))
    assert len(trials) > 50
    with ThreadPoolExecutor(2) as pool:
        verdicts = dict(
            zip((name for name, _ in trials), pool.map(_refusal, (file for _, file in trials)), strict=True)
        )
    assert {name: said for name, said in verdicts.items() if said} == {}


def _trials(folder: Path, outcomes: dict[str, Outcome]) -> Iterator[tuple[str, Path]]:
    for name, found in outcomes.items():
        for proxy, table in found.tables.items():
            file = folder / f"{name}-{proxy}.pb".replace("/", "-")
            file.write_bytes(static_bootstrap(table))
            yield f"{name} {proxy}", file


def _refusal(file: Path) -> str:
    """What Envoy says against a bootstrap, "" if it would take it."""
    options = ("--mode", "validate", "--log-level", "error", "--disable-hot-restart", "--concurrency", "1")
    done = subprocess.run([find(), "-c", file, *options], capture_output=True, text=True, timeout=30, check=False)
    return "" if done.returncode == 0 else done.stderr or f"ended with {done.returncode}"
