"""What `sampan up` turns into: the command line of the supervisor, with all that it is to start."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sampan.cli.discovery import NOTHING, Discovery


@dataclass(frozen=True, slots=True)
class Launch:
    """`folder` is the state folder; `concurrency` None leaves Envoy's threads to Envoy."""

    folder: Path
    files: Sequence[Path]
    envoy: Path
    discovery: Discovery = NOTHING
    drain_seconds: float = 10.0
    concurrency: int | None = None
    log_level: str = "warning"

    def command_line(self) -> list[str]:
        """The supervisor's, which starts the control plane and the registry as Envoy's siblings."""
        folder = str(self.folder)
        replay = [*module("sampan.xds.replay"), "--runtime", folder]
        supervisor = ["--runtime", folder, "--envoy", str(self.envoy), "--envoy-log-level", self.log_level]
        supervisor += ["--drain-seconds", str(self.drain_seconds), "--replay-command", json.dumps(replay)]
        if self.discovery.registry:
            registry = [*module("sampan.registry"), "--state", folder, "--ready", "words"]
            registry += self.discovery.registry_arguments()
            supervisor += ["--companion", f"registry={json.dumps(registry)}"]
        control = ["--runtime", folder, "--envoy", str(self.envoy), *self.discovery.control_arguments()]
        control += [part for path in self.files for part in ("--file", str(path))]
        control += ["--concurrency", str(self.concurrency)] if self.concurrency else []
        return [*module("sampan.proxy.supervisor"), *supervisor, "--", *module("sampan.daemon"), *control]


def module(name: str) -> list[str]:
    """-P: a file json.py in the user's folder is not the json that we mean."""
    return [sys.executable, "-P", "-m", name]
