"""All generators together, and the upstreams behind them, as processes of a stage."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.processes import ProcessFailedError, Stage, Started, accepts, wait_until
from sampan.proxy import binary

DELAY_MS = 100


@dataclass(frozen=True, slots=True)
class Stream:
    """One generator: so many requests (or messages) a second to these (host, path), at this port."""

    kind: str
    rate: float
    port: int
    targets: Sequence[tuple[str, str]]
    ca: Path | None = None


@dataclass(slots=True)
class Fleet:
    stage: Stage
    running: list[tuple[Stream, Started, Path]] = field(default_factory=list)

    def start(self, streams: Sequence[Stream], cores: Sequence[int] | None = None) -> None:
        for one in streams:
            report = self.stage.folder / f"load-{one.kind}-{len(self.stage.started)}.json"
            command = [sys.executable, "-m", "bench.load", one.kind, "--port", str(one.port), "--rate", str(one.rate)]
            command += ["--report", str(report)]
            for host, path in one.targets:
                command += ["--target", host, path]
            if one.ca:
                command += ["--ca", str(one.ca)]
            self.running.append((one, self.stage.start(f"load-{one.kind}", command, cores=cores), report))

    def stop(self) -> list[dict[str, Any]]:
        """The tallies, in the order of the streams. All stop sending at once, then wait for their answers."""
        for _, process, _ in self.running:
            process.check()
            process.process.terminate()
        found = []
        for one, process, report in self.running:
            try:
                process.process.wait(20)
            except subprocess.TimeoutExpired:
                raise ProcessFailedError(f"the load of {one.kind} does not end\n{process.tail()}") from None
            if not report.exists():
                raise ProcessFailedError(f"the load of {one.kind} left no tally\n{process.tail()}")
            found.append(json.loads(report.read_text()))
            self.stage.started.remove(process)
        self.running.clear()
        return found


def ceiling(stage: Stage, stream: Stream, seconds: float = 3.0) -> dict[str, Any]:
    """What a generator does by itself, straight to its upstream: its tally at the given rate."""
    fleet = Fleet(stage)
    fleet.start([stream])
    time.sleep(seconds + 0.7)  # the interpreter's start included
    return fleet.stop()[0]


def delayed(stage: Stage, ports: Sequence[int], milliseconds: int = DELAY_MS) -> Started:
    """An Envoy that answers 200 on each port, over HTTP/1.1 and HTTP/2, each answer after a fixed time."""
    config = {"static_resources": {"listeners": [_delayed_listener(port, milliseconds) for port in ports]}}
    path = stage.folder / "delayed.json"
    path.write_text(json.dumps(config))
    command = [str(binary.find()), "-c", str(path), "--concurrency", "1", "--disable-hot-restart", "-l", "error"]
    process = stage.start("delayed", command)
    wait_until(lambda: all(map(accepts, ports)), 20, "the delayed upstream", process)
    return process


def _delayed_listener(port: int, milliseconds: int) -> dict[str, Any]:
    prefix = "type.googleapis.com/envoy.extensions.filters"
    answer = {"status": 200, "body": {"inline_string": "ok"}}
    routes = [{"match": {"prefix": "/"}, "direct_response": answer}]
    delay = {"fixed_delay": f"{milliseconds / 1000:g}s", "percentage": {"numerator": 100}}
    manager = {
        "@type": f"{prefix}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "delayed",
        "generate_request_id": False,
        "http2_protocol_options": {"max_concurrent_streams": 100_000},
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [
            {"name": "fault", "typed_config": {"@type": f"{prefix}.http.fault.v3.HTTPFault", "delay": delay}},
            {"name": "router", "typed_config": {"@type": f"{prefix}.http.router.v3.Router"}},
        ],
    }
    return {
        "name": f"delayed-{port}",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }


def echo(stage: Stage, grpc_ports: Sequence[int], websocket_ports: Sequence[int]) -> Started:
    """The upstreams of gRPC streams and WebSockets, answering after the same time."""
    command = [sys.executable, "-m", "bench.load.echo", "--delay", str(DELAY_MS / 1000)]
    command += ["--grpc", *map(str, grpc_ports), "--websocket", *map(str, websocket_ports)]
    process = stage.start("echo", command)
    wait_until(lambda: all(map(accepts, [*grpc_ports, *websocket_ports])), 20, "the echo upstream", process)
    return process
