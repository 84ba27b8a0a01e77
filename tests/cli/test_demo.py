"""`sampan demo` with the real Envoy."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from http.client import HTTPConnection
from pathlib import Path

import dns.message
import dns.query
import pytest

from .conftest import Sampan, demo_ports, until

pytestmark = pytest.mark.envoy


TIMES = re.compile(r"reviews: [\d.]+/s, 0\.0 errors/s, p50 (<1|\d+) ms, p99 (<1|\d+) ms")


def test_check_keeps_every_promise_within_30_s(sampan: Sampan) -> None:
    began = time.monotonic()
    done = sampan("demo", "--check", "-o", "json", *demo_ports())
    found = json.loads(done.stdout)
    assert [result for result in found["results"] if not result["ok"]] == []
    assert len(found["results"]) > 15
    killed = found["results"][-1]
    assert killed["asked"].startswith("kill -9 of catalogue-2")
    assert re.search(r"out of the registry after [\d.]+ s, a new one answers after [\d.]+ s", killed["seen"])
    assert done.returncode == 0
    assert time.monotonic() - began < 30


def test_ctrl_c_ends_the_demo_and_leaves_nothing_behind(sampan: Sampan) -> None:
    with sampan.started("demo", *demo_ports()) as process:
        until(lambda: TIMES.search(sampan.log.read_text()) or process.poll() is not None, sampan.log.read_text)
        text = sampan.log.read_text()
        assert process.poll() is None, text
        folder = Path(re.findall(r"SAMPAN_STATE=([^;\s]+)", text)[0])
        (registry,) = re.findall(r"curl http://(\S+)/v1/catalog/services", text)
        assert _services(registry) == {"catalogue", "parrot", "reviews", "shop", "stock"}
        host, port = re.findall(r"dig @(\S+) -p (\d+) reviews.service.consul SRV", text)[0]
        question = dns.message.make_query("reviews.service.consul.", "SRV")
        assert len(dns.query.udp(question, host, port=int(port), timeout=5).answer[0]) == 2
        pids = [int(line.split("\t")[-1]) for line in text.splitlines() if re.fullmatch(r"(\S+\t){4}\d+", line)]
        assert len(pids) >= 6
        (proxy,) = json.loads(sampan("proxies", "--state", str(folder), "-o", "json").stdout)["items"]
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    assert not folder.exists()
    assert not any(_runs(pid) for pid in (*pids, proxy["pid"]))


def test_a_killed_demo_takes_everything_with_it(sampan: Sampan, folder: Path) -> None:
    state = folder / "s"
    with sampan.started("demo", "--state", str(state), *demo_ports()) as process:
        until(lambda: "The shop: " in sampan.log.read_text(), sampan.log.read_text)
        (proxy,) = json.loads(sampan("proxies", "--state", str(state), "-o", "json").stdout)["items"]
        pids = [int(pid) for pid in re.findall(r"127\.0\.0\.1:\d+\t(\d+)", sampan.log.read_text())]
        process.kill()
    until(lambda: not any(_runs(pid) for pid in (*pids, proxy["pid"])))


def _services(registry: str) -> set[str]:
    connection = HTTPConnection(registry, timeout=5)
    connection.request("GET", "/v1/catalog/services")
    found = set(json.loads(connection.getresponse().read()))
    connection.close()
    return found


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
