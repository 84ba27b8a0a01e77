"""From a registration, or a failed check, to the first request that shows it; and whether any fails meanwhile."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench import contenders, documents, raw, registries
from bench.figures import Spread
from bench.load import fleet
from bench.load.fleet import Fleet, Stream
from bench.probe import Probe
from bench.processes import Stage, free_ports, wait_until
from bench.registries import call, registration
from bench.report import Report, Target
from bench.settings import Settings
from bench.up import Sampan

PAUSE = (0.05, 0.15)
"""Seconds between trials, by chance: so that no trial keeps step with a debounce or a poll."""
SETTLED = 0.15
"""Seconds without an answer of the failed instance after which it counts as gone."""
CHURN_SPACING = 0.12
UPSTREAMS = 8
FEWEST = 3
RATES = {"http1": 1100.0, "http2": 950.0}
MANY = 1000
AMONG_MANY = f"the same among {MANY:,} published services"
OK, OTHER = b"\r\n\r\nok", b"\r\n\r\nother"


@dataclass(frozen=True, slots=True)
class Case:
    key: str
    title: str
    limit: float
    """ms, p99."""


EMBEDDED = Case("embedded", "the embedded registry", 20.0)
CONSUL = Case("consul", "Consul", 50.0)


@dataclass(slots=True)
class Times:
    """Milliseconds from the call's first byte."""

    routed: list[float] = field(default_factory=list)
    gone: list[float] = field(default_factory=list)
    deregistered: list[float] = field(default_factory=list)
    published: list[float] = field(default_factory=list)
    published_among_many: list[float] = field(default_factory=list)


def run(settings: Settings, stage: Stage) -> Report:
    count = settings.choose(trials=(200, 20))
    report = Report(
        "discovery",
        "From a call to the registry to the requests that follow it",
        ("registry", "what", "trials", "p50 ms", "p90 ms", "p99 ms", "max ms"),
    )
    for case in (EMBEDDED, CONSUL):
        if not settings.wants(case.key):
            continue
        with world(stage, case) as (running, port, listen):
            upstream = contenders.upstream(stage, None)
            times = _trials(stage, running, port, listen, upstream, count, settings)
            few = settings.choose(published=(100, 10))
            times.published = _published(port, listen, upstream.http1, range(few))
            _crowd(running, port, listen, upstream.http1, settings.choose(services=(MANY, 50)))
            times.published_among_many = _published(port, listen, upstream.http1, range(few, 2 * few))
            _fill(report, case, times)
            if settings.wants("churn") or not settings.only:
                _churn(stage, case, running, port, listen, settings, report)
    report.notes = [
        "A service of one instance behind a Gateway. A second instance is registered, until a request reaches it; its "
        "check is failed, until the last request that reaches it; it passes again and is deregistered, likewise. One "
        "connection asks every 1 to 2 ms, so the times are as coarse. Then services that nobody knew, each "
        "with an HTTPRoute of its own that a Publication makes.",
        f"Churn: open-loop load on a service of up to {UPSTREAMS} instances that take {fleet.DELAY_MS} ms; "
        f"one is registered, failed or deregistered every {CHURN_SPACING * 1e3:.0f} ms; no retries.",
    ]
    return report


@contextmanager
def world(stage: Stage, case: Case) -> Iterator[tuple[Sampan, int, int]]:
    """(Sampan, the registry's port, the Gateway's port): with routes to the services `moving` and `churn`."""
    listen, port = free_ports(2)
    folder, state = stage.folder / f"documents-{case.key}", stage.folder / f"state-{case.key}"
    folder.mkdir()
    routes = (documents.http_route(name, [(name, 80)], path=f"/{name}") for name in ("moving", "churn"))
    gateway = documents.gateway([documents.Listener("http", listen)])
    (folder / "all.yaml").write_text(documents.SEPARATOR.join((gateway, *routes, _no_retries(), _publication())))
    if case is CONSUL:
        port = registries.consul(stage).port
        arguments = ("--consul", f"http://127.0.0.1:{port}")
    else:
        arguments = ("--registry", f"127.0.0.1:{port}", "--registry-dns", "off")
    running = Sampan.start(stage, folder, state, arguments=arguments)
    try:
        yield running, port, listen
    finally:
        running.stop()


def _publication() -> str:
    return """\
apiVersion: sampan.dev/v1alpha1
kind: Publication
metadata: {name: bench}
spec:
  parentRefs: [{name: bench}]
  services: {names: [new-*, many-*]}
"""


def _no_retries() -> str:
    return """\
apiVersion: sampan.dev/v1alpha1
kind: Retry
metadata: {name: none}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: bench}]
  attempts: 0
"""


def _trials(
    stage: Stage,
    running: Sampan,
    port: int,
    listen: int,
    upstream: contenders.Upstream,
    count: int,
    settings: Settings,
) -> Times:
    _until_registry(running, port)
    call(port, "PUT", "/v1/agent/service/register", registration("moving", 0, upstream.http1))
    running.wait_for(listen, "/moving")
    probe, times = Probe(listen, "localhost", "/moving"), Times()
    second = registration("moving", 1, upstream.other)
    for number in range(count):
        time.sleep(random.uniform(*PAUSE))
        begin = time.monotonic()
        call(port, "PUT", "/v1/agent/service/register", second)
        times.routed.append((probe.until(OTHER) - begin) * 1e3)
        time.sleep(random.uniform(*PAUSE))
        times.gone.append(_until_gone(probe, port, "/v1/agent/check/fail/service:moving-1"))
        call(port, "PUT", "/v1/agent/check/pass/service:moving-1")
        probe.until(OTHER)
        time.sleep(random.uniform(*PAUSE))
        times.deregistered.append(_until_gone(probe, port, "/v1/agent/service/deregister/moving-1"))
        if number % 50 == 49:
            stage.check()
            settings.tell(f"{number + 1} of {count}")
    probe.close()
    return times


def _published(port: int, listen: int, upstream: int, numbers: Iterable[int]) -> list[float]:
    """ms from the registration of a service that nobody knew to its first request: its route is made by then, too."""
    times = []
    for number in numbers:
        time.sleep(random.uniform(*PAUSE))
        probe = Probe(listen, "localhost", f"/new-{number}")
        probe.ask()
        begin = time.monotonic()
        call(port, "PUT", "/v1/agent/service/register", registration(f"new-{number}", 0, upstream))
        times.append((probe.until(OK) - begin) * 1e3)
        probe.close()
        call(port, "PUT", f"/v1/agent/service/deregister/new-{number}-0")
    return times


def _crowd(running: Sampan, port: int, listen: int, upstream: int, count: int) -> None:
    """Many services that are published."""
    items = (registration(f"many-{number}", 0, upstream) for number in range(count))
    raw.closed_loop(port, [raw.request("PUT", "/v1/agent/service/register", item) for item in items], 8)
    for number in range(count):
        running.wait_for(listen, f"/many-{number}")


def _until_registry(running: Sampan, port: int) -> None:
    def answers() -> bool:
        try:
            return bool(call(port, "GET", "/v1/status/leader"))
        except OSError:
            return False

    wait_until(answers, 20, "the registry", running.process)


def _until_gone(probe: Probe, port: int, path: str) -> float:
    """ms from the call to the last answer of the second instance, once none has come for a while."""
    begin = last = time.monotonic()
    call(port, "PUT", path)
    while time.monotonic() - last < SETTLED:
        if OTHER in probe.ask():
            last = time.monotonic()
        time.sleep(0.001)
    return (last - begin) * 1e3


def _fill(report: Report, case: Case, times: Times) -> None:
    for what, values in (
        ("registered → first request", times.routed),
        ("check failed → last request", times.gone),
        ("deregistered → last request", times.deregistered),
        ("a new service, published → first request", times.published),
        (AMONG_MANY, times.published_among_many),
    ):
        spread = Spread.of(values)
        figures = (round(value, 1) for value in (spread.p50, spread.p90, spread.p99, spread.maximum))
        report.rows.append((case.title, what, spread.count, *figures))
        if what is not AMONG_MANY:
            report.targets.append(Target(f"{case.title}, {what}, p99", spread.p99, case.limit, "ms"))
        report.data[f"{case.key}: {what}"] = spread.json()


# ---- instances that come and go under load


def _churn(
    stage: Stage, case: Case, running: Sampan, port: int, listen: int, settings: Settings, report: Report
) -> None:
    count = settings.choose(changes=(300, 50))
    ports = free_ports(UPSTREAMS)
    upstreams = fleet.delayed(stage, ports)
    there = _Instances(port, ports)
    running.wait_for(listen, "/churn")  # how long a new service takes is another question
    load = Fleet(stage)
    load.start([Stream(kind, rate, listen, [("localhost", "/churn")]) for kind, rate in RATES.items()])
    time.sleep(2.0)
    start = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, start + number * CHURN_SPACING - time.monotonic()))
        there.change()
    time.sleep(1.0)
    tallies = load.stop()
    stage.stop(upstreams)
    failed = sum(tally["failed"] for tally in tallies)
    sent = sum(tally["sent"] for tally in tallies)
    report.targets.append(Target(f"{case.title}, failed of {sent:,} requests in {count} comings and goings", failed, 0))
    report.data[f"{case.key}: churn"] = {"tallies": tallies, "made": there.made}
    settings.tell(f"{case.title}: {failed} of {sent} failed")


class _Instances:
    """Each upstream is registered, failing, or away; never fewer than a few take requests."""

    def __init__(self, port: int, upstreams: Sequence[int]) -> None:
        self._port, self._upstreams = port, upstreams
        self._random = random.Random(1)
        self.state: dict[int, str] = {}
        self.made: dict[str, int] = {"registered": 0, "failed": 0, "passed": 0, "deregistered": 0}
        for number in range(len(upstreams)):
            self._register(number)

    def change(self) -> None:
        number = self._random.randrange(len(self._upstreams))
        state = self.state.get(number, "")
        if state == "":
            self._register(number)
        elif state == "failing":
            self._turn(number, "pass", "passed")
        elif sum(value == "ready" for value in self.state.values()) > FEWEST:
            if self._random.random() < 0.5:
                self._turn(number, "fail", "failed")
            else:
                self._call(f"/v1/agent/service/deregister/churn-{number}")
                self.state[number] = ""
                self.made["deregistered"] += 1

    def _register(self, number: int) -> None:
        self._call("/v1/agent/service/register", registration("churn", number, self._upstreams[number]))
        self.state[number] = "ready"
        self.made["registered"] += 1

    def _turn(self, number: int, verb: str, made: str) -> None:
        self._call(f"/v1/agent/check/{verb}/service:churn-{number}")
        self.state[number] = "ready" if verb == "pass" else "failing"
        self.made[made] += 1

    def _call(self, path: str, body: Any = None) -> None:
        call(self._port, "PUT", path, body)
