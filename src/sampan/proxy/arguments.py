"""The supervisor's command line."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

ENVOY_LOG_LEVELS = ("trace", "debug", "info", "warning", "error", "critical", "off")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """What was asked for. Ends the process with status 2 and a sentence for what makes no sense."""
    parser = argparse.ArgumentParser(prog="sampan.proxy.supervisor", allow_abbrev=False)
    parser.add_argument("--runtime", type=lambda text: Path(text).absolute(), required=True, metavar="DIR")
    parser.add_argument("--replay-command", type=_command_json, default=[], metavar="JSON")
    parser.add_argument("--companion", type=_named_command, action="append", default=[], metavar="NAME=JSON")
    parser.add_argument("--envoy", metavar="PATH")
    parser.add_argument("--envoy-log-level", default="warning", choices=ENVOY_LOG_LEVELS)
    parser.add_argument("--drain-seconds", type=_seconds, default=10.0, metavar="SECONDS")
    parser.add_argument("--silence-seconds", type=_seconds, default=10.0, metavar="SECONDS")
    parser.add_argument("--log-file", type=Path, metavar="PATH")
    parser.add_argument("command", nargs="+", metavar="COMMAND")
    return parser.parse_args(arguments)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError("must be between 0 and 86400")
    return seconds


def _named_command(text: str) -> tuple[str, list[str]]:
    name, equals, command = text.partition("=")
    if not (name.isascii() and name.isalpha() and equals):
        raise argparse.ArgumentTypeError("must be NAME=COMMAND, with a name of letters")
    return name, _command_json(command)


def _command_json(text: str) -> list[str]:
    command = json.loads(text)
    if not isinstance(command, list) or not all(isinstance(item, str) for item in command):
        raise argparse.ArgumentTypeError("must be a JSON list of texts")
    return command
