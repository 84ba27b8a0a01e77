"""Failed requests during changes, under an open-loop load over HTTP/1.1, TLS, HTTP/2, gRPC streams and WebSockets."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench import mixed
from bench.acks import Acks
from bench.load import fleet
from bench.load.fleet import Fleet, Stream
from bench.mixed import Mixed, Ports
from bench.processes import Stage, free_ports
from bench.report import Report, Target
from bench.settings import Settings
from bench.up import Sampan

UPSTREAMS = 8
SPACING = 0.12
"""Seconds from one change to the next, whether or not the last is in force."""
RATES: Mapping[str, float] = {"http1": 900, "https": 200, "http2": 750, "grpc": 250, "websocket": 50}
SETTLED = 3.0
"""Seconds of load before the first change and after the last."""
HEADROOM = 3


def run(settings: Settings, stage: Stage) -> Report:
    count = settings.choose(changes=(1000, 60))
    report = Report(
        "changes",
        f"{count} mixed changes under open-loop load; upstreams take {fleet.DELAY_MS} ms; no retries",
        ("load", "requests/s", "sent", "failed", "how", "p50 ms", "p99 ms", "max ms", "late p99 ms", "CPU %"),
    )
    with world(stage) as town:
        ceilings = _ceilings(stage, town.mixed.ports)
        load = Fleet(stage)
        load.start(_streams(stage, town))
        time.sleep(SETTLED)
        began, before, cpu = time.monotonic(), _taken(town.running), town.running.cpu_seconds()
        confirmed = _change(town, stage, count, settings)
        spent, took = town.running.cpu_seconds() - cpu, time.monotonic() - began
        time.sleep(SETTLED)
        tallies = load.stop()
        after = _taken(town.running)
        mistakes = town.running.ask("/v1/diagnostics")["items"]
    _fill(report, tallies, ceilings)
    failed = sum(tally["failed"] for tally in tallies)
    report.targets = [
        Target("failed requests", failed, 0),
        Target("changes made", sum(town.mixed.made.values()), count, sense="at least"),
        # They are not waited for, so two may become one; but none may be left lying.
        Target("publications that Envoy confirmed meanwhile", confirmed, 0.75 * count, sense="at least"),
        Target("requests/s in total", sum(tally["rate"] for tally in tallies), 2000 * 0.99, "", "at least"),
        Target(
            "mistakes in the documents at the end, and updates that Envoy refused", len(mistakes) + after["refused"], 0
        ),
    ]
    updates = {name: after[name] - before[name] for name in after}
    report.notes = [
        f"Changes: {', '.join(f'{kind} {number}' for kind, number in sorted(town.mixed.made.items()))}.",
        f"They took {took:.1f} s, one every {SPACING * 1e3:.0f} ms; Sampan with Envoy used {spent / took:.2f} cores.",
        f"Updates that Envoy took: {', '.join(f'{name} {number}' for name, number in updates.items())}.",
        f"Each generator kept up with {HEADROOM} times its rate straight to its upstream: "
        + ", ".join(f"{tally['kind']} {tally['rate']:.0f}/s" for tally in ceilings)
        + ".",
    ]
    report.data = {"tallies": tallies, "ceilings": ceilings, "updates": updates, "made": dict(town.mixed.made)}
    return report


# ---- what it happens to


@dataclass(frozen=True, slots=True)
class World:
    mixed: Mixed
    running: Sampan
    acks: Acks


@contextmanager
def world(stage: Stage) -> Iterator[World]:
    """Upstreams, documents and a Sampan with them; also what `memory` changes."""
    web, secure, *others = free_ports(2 + UPSTREAMS + 4)
    ports = Ports(web, secure, others[:UPSTREAMS], others[UPSTREAMS : UPSTREAMS + 2], others[UPSTREAMS + 2 :])
    fleet.delayed(stage, ports.upstreams)
    fleet.echo(stage, ports.grpc, ports.sockets)
    town = Mixed(stage.folder / "documents", ports)
    town.write()
    acks = Acks(stage.folder / "acks")
    try:
        running = Sampan.observed(stage, town.folder, stage.folder / "state", acks)
        running.wait_for(web, "/a/x", mixed.WEB)
        running.wait_for(web, "/b/x", mixed.API)
        acks.quiet(1.0)
        yield World(town, running, acks)
        running.stop()
    finally:
        acks.close()


def _streams(stage: Stage, town: World) -> list[Stream]:
    ports, documents = town.mixed.ports, town.mixed
    trusted = stage.folder / "ca.pem"
    trusted.write_bytes(documents.authority.pem)
    return [
        Stream("http1", RATES["http1"], ports.web, documents.targets(mixed.WEB)),
        Stream("https", RATES["https"], ports.secure, documents.targets(mixed.SECURE), trusted),
        Stream("http2", RATES["http2"], ports.web, documents.targets(mixed.API)),
        Stream("grpc", RATES["grpc"], ports.web, [(mixed.GRPC, "/")]),
        Stream("websocket", RATES["websocket"], ports.web, [(mixed.SOCKETS, "/ws")]),
    ]


def _ceilings(stage: Stage, ports: Ports) -> list[dict[str, Any]]:
    """Each generator alone, straight to its upstream."""
    direct = {
        "http1": ports.upstreams[0],
        "http2": ports.upstreams[0],
        "grpc": ports.grpc[0],
        "websocket": ports.sockets[0],
    }
    return [
        fleet.ceiling(stage, Stream(kind, HEADROOM * RATES[kind], port, [("bench", "/ws")]))
        for kind, port in direct.items()
    ]


def _change(town: World, stage: Stage, count: int, settings: Settings) -> int:
    """At fixed times, like the load: a slow control plane is given no time off. Gives the number of publications that
    Envoy confirmed."""
    confirmed = 0
    start = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, start + number * SPACING - time.monotonic()))
        town.mixed.change()
        confirmed += town.acks.drain()
        if number % 50 == 49:
            stage.check()
            settings.tell(f"{number + 1} of {count} changes")
    return confirmed


def _taken(running: Sampan) -> Counter[str]:
    """What Envoy's counters say of updates, by kind."""
    found: Counter[str] = Counter({"refused": 0})
    for name, value in running.counters("update_(success|rejected)$").items():
        scope, _, what = name.rpartition(".")
        kind = next((word for word in ("cds", "lds", "rds", "sds") if f"{word}." in f"{scope}."), "eds")
        found["refused" if what == "update_rejected" else kind] += value
    return found


def _fill(report: Report, tallies: list[dict[str, Any]], ceilings: list[dict[str, Any]]) -> None:
    for tally in tallies:
        latency = tally["latency_ms"]
        how = ", ".join(f"{kind} {number}" for kind, number in tally["failures"].items()) or "-"
        report.rows.append(
            (
                tally["kind"],
                round(tally["rate"]),
                tally["sent"],
                tally["failed"],
                how,
                latency["p50"],
                latency["p99"],
                latency["max"],
                tally["lateness_ms"]["p99"],
                round(100 * tally["cpu_seconds"] / tally["seconds"], 1),
            )
        )
