"""go-micro's own Consul registry (v4), built from the Go modules that `gomicro/go.mod` names."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from ..consul_binary import Agent

pytestmark = [pytest.mark.go, pytest.mark.consul]

SOURCE = Path(__file__).parent / "gomicro"
NAME = "go.micro.api.greeter"


@pytest.fixture(scope="module")
def program() -> Path:
    """Built once for each state of its sources, outside of the repository (35 s, then nothing)."""
    files = sorted(file for file in SOURCE.iterdir() if file.name.startswith("go.") or file.suffix == ".go")
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"sampan-gomicro-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    assert folder.stat().st_uid == os.getuid(), f"{folder} belongs to somebody else"
    built = folder / digest
    if not built.exists():
        with tempfile.TemporaryDirectory() as work:
            for file in files:
                shutil.copy(file, work)
            command = ["go", "build", "-mod=readonly", "-buildvcs=false", "-o", str(built), "."]
            done = subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
    return built


@pytest.fixture
def steps(program: Path, agent: Agent) -> dict[str, dict[str, Any]]:
    done = subprocess.run([program, agent.http], capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert not [step for step in told if "Error" in step]
    return {step["Step"]: step for step in told}


def instances(step: dict[str, Any]) -> dict[str, list[str]]:
    """Ids by version."""
    return {one["version"]: [node["id"] for node in one["nodes"]] for one in step.get("Services", [])}


# Against ours alone: a real agent tells its servers a little later, which go-micro does not wait for.
@pytest.mark.parametrize("agent", ["ours"], indirect=True)
def test_registry(steps: dict[str, dict[str, Any]]) -> None:
    assert instances(steps["get before"]) == {}
    assert steps["watched register"]["Names"] == [NAME]
    assert instances(steps["get one"]) == {"1.2.3": [f"{NAME}-1"]}
    found = steps["get one"]["Services"][0]
    assert found["nodes"][0]["address"] == "127.0.0.1:4001"
    assert found["nodes"][0]["metadata"] == {"protocol": "mucp", "zone": "a"}
    assert [endpoint["name"] for endpoint in found["endpoints"]] == ["Greeter.Hello"]
    assert found["endpoints"][0]["metadata"] == {"path": "/hello", "method": "GET"}
    assert instances(steps["get both"]) == {"1.2.3": [f"{NAME}-1"], "2.0.0": [f"{NAME}-2"]}
    assert steps["list"]["Names"] == [NAME]
    assert instances(steps["get after"]) == {"2.0.0": [f"{NAME}-2"]}
    assert instances(steps["get none"]) == {}
    assert steps["watched deregister"]["Names"] == [NAME]
