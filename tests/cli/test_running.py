"""`sampan up`, what the other commands say while it runs, and `sampan down`."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import Sampan, free_port, until

pytestmark = pytest.mark.envoy

DOCUMENTS = """\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: shop}}
spec:
  gatewayClassName: sampan
  listeners:
    - {{name: web, protocol: HTTP, port: {gateway}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: cart}}
spec:
  parentRefs: [{{name: shop}}]
  hostnames: [shop.example]
  rules:
    - backendRefs: [{{name: cart, port: 80}}]
---
apiVersion: v1
kind: Service
metadata: {{name: cart}}
spec:
  selector: {{app: cart}}
  ports: [{{port: 80}}]
---
apiVersion: sampan.dev/v1alpha1
kind: Backend
metadata: {{name: cart-1, labels: {{app: cart}}}}
spec:
  endpoints: [{{address: 127.0.0.1, port: {service}}}]
---
apiVersion: sampan.dev/v1alpha1
kind: Timeout
metadata: {{name: quick}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: HTTPRoute, name: cart}}]
  request: 7s
"""


class Running:
    """A running Sampan with the documents above."""

    def __init__(self, sampan: Sampan, process: subprocess.Popen[bytes], port: int, document: Path) -> None:
        self.sampan, self.process, self.port, self.document = sampan, process, port, document

    def status(self, path: str = "/", host: str = "shop.example") -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path, headers={"host": host})
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def json(self, *arguments: str) -> Any:
        done = self.sampan(*arguments, "-o", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def running(sampan: Sampan, folder: Path, service: int) -> Iterator[Running]:
    port = free_port()
    document = folder / "documents" / "shop.yaml"
    document.parent.mkdir()
    document.write_text(DOCUMENTS.format(gateway=port, service=service))
    with sampan.started("up", "-f", str(document.parent), "--drain-seconds", "1") as process:
        found = Running(sampan, process, port, document)
        until(lambda: found.status() == 200, lambda: sampan.log.read_text())
        yield found


def test_what_runs_can_be_seen_changed_and_ended(running: Running) -> None:
    sampan = running.sampan

    gateways = sampan("get", "gtw")
    assert [line.split()[0] for line in gateways.stdout.splitlines()] == ["NAME", "shop"], gateways.stderr
    assert "True" in gateways.stdout.splitlines()[1].split()
    routes = sampan("get", "httproutes").stdout.splitlines()
    assert routes[1].split()[:5] == ["cart", "shop.example", "shop", "True", "True"]
    route = running.json("get", "httproute", "cart")
    assert route["metadata"]["name"] == "cart"
    assert route["status"]["parents"][0]["conditions"][0]["lastTransitionTime"]
    everything = sampan("get", "all", "-A").stdout
    for name in ("gateway/shop", "httproute/cart", "service/cart", "backend/cart-1", "timeout/quick"):
        assert name in everything

    described = sampan("describe", "httproute", "cart").stdout
    assert "Accepted" in described
    assert "7s" in described
    assert "quick" in described
    assert "127.0.0.1:" in described

    (proxy,) = running.json("proxies")["items"]
    assert proxy["proxy"] == "default/shop"
    assert proxy["connected"]
    assert os.path.exists(f"/proc/{proxy['pid']}") or not os.path.exists("/proc/self")
    assert "in sync" in sampan("proxies").stdout
    clusters = running.json("config", "shop", "--type", "clusters")["clusters"]
    assert [cluster["name"] for cluster in clusters] == ["service/default/cart/80"]

    assert running.status(host="other.example") == 404
    running.document.write_text(running.document.read_text().replace("shop.example", "other.example"))
    until(lambda: running.status(host="other.example") == 200)

    running.document.write_text(running.document.read_text().replace("  hostnames:", "  hostnamez:"))
    mistakes = until(lambda: running.json("get", "diagnostics")["items"])
    assert any("hostnamez" in item["reason"] + item["field"] for item in mistakes)
    assert running.status(host="other.example") == 200  # the last good version

    second = sampan("up", "-f", str(running.document))
    assert second.returncode == 1
    assert f"already running at {sampan.state}" in second.stderr

    down = sampan("down")
    assert (down.returncode, down.stderr) == (0, "stopped\n")
    assert running.process.wait(5) == 0
    assert running.status() == 0
    assert sampan("down").returncode == 1
    _gone(proxy["pid"])


def test_compile_gives_what_the_running_proxy_has(running: Running) -> None:
    compiled = yaml.safe_load(running.sampan("compile", str(running.document)).stdout)["default/shop"]
    has = yaml.safe_load(running.sampan("config", "shop").stdout)
    for type_ in ("routes", "clusters", "endpoints", "secrets"):
        assert has.get(type_, []) == compiled[type_], type_


def test_ctrl_c_ends_everything(running: Running) -> None:
    (proxy,) = running.json("proxies")["items"]
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(20) == 0
    assert running.status() == 0
    _gone(proxy["pid"])


def _gone(pid: int) -> None:
    def gone() -> bool:
        with suppress(ProcessLookupError):
            os.kill(pid, 0)
            return False
        return True

    until(gone)
