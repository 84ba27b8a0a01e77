"""The control plane's command line."""

from __future__ import annotations

import argparse
from pathlib import Path

from sampan.daemon.discovery import Choice


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog="sampan.daemon", description="Sampan's control plane")
    result.add_argument("--runtime", type=Path, required=True, help="the folder of sockets and state")
    result.add_argument("--file", action="append", default=[], metavar="PATH", help="a document, or a folder of them")
    result.add_argument("--envoy", type=Path, required=True, help="the Envoy binary, for trials")
    result.add_argument("--registry", default="", metavar="HOST:PORT", help="the embedded registry, a sibling")
    result.add_argument("--consul", default="", metavar="URL", help="a Consul that runs already")
    result.add_argument("--consul-datacenter", action="append", default=[], metavar="DC", help="a further one of it")
    result.add_argument("--consul-token-file", default="", metavar="PATH")
    result.add_argument("--concurrency", type=int, default=0, help="worker threads of each Envoy; 0: one for each core")
    return result


def choice(chosen: argparse.Namespace) -> Choice:
    further = tuple(chosen.consul_datacenter)
    return Choice(chosen.runtime, chosen.registry, chosen.consul, further, chosen.consul_token_file)
