"""`python -m bench NAME [--quick] [--save]`: one measurement, its table on stdout, exit 0 if its targets were met."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from http.client import HTTPException
from importlib import import_module
from pathlib import Path
from types import FrameType

from bench import machine
from bench.processes import ProcessFailedError, Stage
from bench.report import Report
from bench.settings import Settings, UnableError

NAMES = {
    "request": "CPU per request, beside an Envoy by hand, nginx and HAProxy",
    "start": "`sampan up` to the first 200",
    "propagate": "from a source's event to Envoy's ACK and to the first answer by it",
    "changes": "failed requests during changes under open-loop load",
    "compile": "CPU of resolving and compiling, whole and one change",
    "memory": "memory of control plane and Envoy over many changes",
    "registry": "registrations and waking of waiters, beside a real Consul",
    "discovery": "from a registration or a failed check to the requests that follow it",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Sampan. See bench/README.md.")
    parser.add_argument(
        "name", choices=[*NAMES, "all", "readme"], help="; ".join(f"{key}: {text}" for key, text in NAMES.items())
    )
    parser.add_argument("--quick", action="store_true", help="few and short trials, to see that it runs")
    parser.add_argument("--save", action="store_true", help="write bench/results/NAME.json")
    parser.add_argument("--only", action="append", default=[], metavar="PART", help="a part of it, by name; repeatable")
    parser.add_argument("--keep", action="store_true", help="keep documents and logs, and say where")
    arguments = parser.parse_args()
    if arguments.name == "readme":
        from bench import readme

        print(f"filled in: {', '.join(readme.fill(tuple(NAMES)))}", file=sys.stderr)
        return 0
    signal.signal(signal.SIGTERM, _interrupt)  # ended as by Ctrl-C: with all that it started
    settings = Settings(quick=arguments.quick, only=tuple(arguments.only))
    met = True
    for name in NAMES if arguments.name == "all" else (arguments.name,):
        report = measure(name, settings, keep=arguments.keep)
        if report is None:
            met = False
            continue
        print(report.text() + "\n", flush=True)
        if arguments.save:
            print(f"written: {report.save()}", file=sys.stderr)
        met = met and report.met
    return 0 if met else 1


def measure(name: str, settings: Settings, *, keep: bool = False) -> Report | None:
    """The report, or None (and words on stderr) if it could not be measured."""
    module = import_module(f"bench.{name}")
    began, facts = time.time(), machine.facts()
    # A short path: Unix sockets go below it, and their paths are short (unix(7)).
    folder = tempfile.mkdtemp(prefix="sb") if keep else None
    with tempfile.TemporaryDirectory(prefix="sb", ignore_cleanup_errors=True) as temporary:
        try:
            with Stage(Path(folder or temporary)) as stage:
                try:
                    report: Report = module.run(settings, stage)
                except (OSError, HTTPException) as problem:
                    stage.check()  # what broke off is most likely of a process that has ended: its output says more
                    raise ProcessFailedError(f"{type(problem).__name__}: {problem}") from problem
        except UnableError as unable:
            print(f"error: {name}: {unable}\nhint: {unable.hint}", file=sys.stderr)
            return None
        except ProcessFailedError as failure:
            print(f"error: {name}: {failure}", file=sys.stderr)
            return None
        finally:
            if folder:
                print(f"kept: {folder}", file=sys.stderr)
    report.quick, report.began, report.facts = settings.quick, began, facts  # the load is that before, not our own
    return report


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
