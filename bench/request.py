"""CPU per request of the gateway, beside an Envoy by hand, nginx and HAProxy."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from bench import contenders, machine
from bench.contenders import Contender
from bench.figures import ratio
from bench.processes import Stage
from bench.report import Report, Target
from bench.settings import Settings, UnableError

BASELINE = "Envoy by hand"
OURS, OURS_HTTP2 = "Sampan", "Sampan, HTTP/2 upstream"


@dataclass(slots=True)
class Series:
    """One contender's rounds: CPU µs per request, requests per second, p50 and p99 in µs."""

    cpu: list[float] = field(default_factory=list)
    carrying: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    resident: float = 0.0


def run(settings: Settings, stage: Stage) -> Report:
    absent = machine.missing(["nginx", "haproxy", "wrk", "taskset"])
    if absent:
        raise UnableError(f"not installed: {', '.join(absent)}", "apt-get install nginx haproxy wrk util-linux")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise UnableError("two cores are needed: one for the proxy, one for load and upstream", "")
    proxy_core, load_core = cores[:2]
    rounds, seconds = settings.choose(rounds=(9, 3)), settings.choose(seconds=(8, 2))
    everyone = _everyone(stage, proxy_core, load_core)
    series = {one.name: Series() for one in everyone}
    for one in everyone:
        contenders.wrk(one, load_core, 1)  # connections to the upstream, caches, allocators
    for number in range(rounds):
        start = number % len(everyone)  # nobody is always first
        for one in everyone[start:] + everyone[:start]:
            _measure(one, series[one.name], load_core, seconds)
        settings.tell(f"round {number + 1} of {rounds}")
    return _report(series, rounds, seconds)


def _everyone(stage: Stage, proxy_core: int, load_core: int) -> list[Contender]:
    behind = contenders.upstream(stage, load_core)
    http2 = "kubernetes.io/h2c"
    return [
        contenders.envoy(stage, proxy_core, behind.http1, name=BASELINE),
        contenders.sampan(stage, proxy_core, behind.http1, name=OURS),
        contenders.sampan(stage, proxy_core, behind.http2, protocol=http2, name=OURS_HTTP2),
        contenders.sampan_with_routes(stage, proxy_core, behind.http1),
        contenders.envoy(stage, proxy_core, behind.http2, "envoy-http2.yaml", name="Envoy by hand, HTTP/2 upstream"),
        contenders.nginx(stage, proxy_core, behind.http1),
        contenders.haproxy(stage, proxy_core, behind.http1),
    ]


def _measure(one: Contender, series: Series, core: int, seconds: int) -> None:
    before = one.cpu_seconds()
    load = contenders.wrk(one, core, seconds)
    whole, carrying = (after - earlier for after, earlier in zip(one.cpu_seconds(), before, strict=True))
    series.cpu.append(whole * 1e6 / load.requests)
    series.carrying.append(carrying * 1e6 / load.requests)
    series.rate.append(load.requests / load.seconds)
    series.p50.append(load.p50)
    series.p99.append(load.p99)
    series.resident = one.resident_mib()


def _report(series: Mapping[str, Series], rounds: int, seconds: int) -> Report:
    report = Report(
        "request",
        "CPU per request: HTTP/1.1 keep-alive, 64 connections, an answer of 2 bytes, proxy on one core",
        (
            "proxy",
            "CPU µs/request",
            "min",
            "max",
            "of it the proxy",
            "to Envoy by hand [95 %]",
            "requests/s",
            "p50 µs",
            "p99 µs",
            "RSS MiB",
        ),
    )
    base = series[BASELINE]
    data: dict[str, Any] = {}
    for name, one in series.items():
        compared = ratio(one.cpu, base.cpu)
        report.rows.append(
            (
                name,
                round(median(one.cpu), 1),
                round(min(one.cpu), 1),
                round(max(one.cpu), 1),
                round(median(one.carrying), 1),
                str(compared),
                round(median(one.rate)),
                round(median(one.p50)),
                round(median(one.p99)),
                round(one.resident),
            )
        )
        data[name] = {
            "cpu_us": [round(value, 2) for value in one.cpu],
            "proxy_us": [round(value, 2) for value in one.carrying],
            "ratio": compared.json(),
            "proxy_ratio": ratio(one.carrying, base.carrying).json(),
        }
    report.targets = [
        Target("Sampan to Envoy by hand", ratio(series[OURS].cpu, base.cpu).middle, 1.03, "×"),
        Target(
            "Sampan with HTTP/2 upstream to Envoy by hand", ratio(series[OURS_HTTP2].cpu, base.cpu).middle, 0.83, "×"
        ),
    ]
    report.notes = [
        f"{rounds} interleaved rounds of {seconds} s each; medians; the ratio is the median of the rounds' own, with "
        "a 95 % bootstrap interval.",
        "CPU is user + system time of the whole process tree; 'of it the proxy' leaves out Sampan's control plane and "
        f"supervisor. Sampan's Envoy alone: {ratio(series[OURS].carrying, base.carrying)}; with HTTP/2 upstream "
        f"{ratio(series[OURS_HTTP2].carrying, base.carrying)}.",
    ]
    report.data = data
    return report
