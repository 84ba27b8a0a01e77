"""The proxies that are measured side by side, each on the same core before the same upstream; and the upstream."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import documents
from bench.processes import ProcessFailedError, Stage, accepts, cpu_seconds, free_ports, resident_mib, tree, wait_until
from bench.up import Sampan
from sampan.proxy import binary

BASELINE = Path(__file__).parent / "baseline"
SERVICES = 6


@dataclass(frozen=True, slots=True)
class Contender:
    """`pids` are asked anew each time: a proxy may have restarted a worker. `carrying` are those of them that requests
    pass through, if not all do."""

    name: str
    port: int
    pids: Callable[[], Sequence[int]]
    carrying: Callable[[], Sequence[int]] | None = None
    host: str = "localhost"
    path: str = "/"

    def cpu_seconds(self) -> tuple[float, float]:
        """Of all its processes, and of those that requests pass through."""
        whole = cpu_seconds(self.pids())
        return whole, cpu_seconds(self.carrying()) if self.carrying else whole

    def resident_mib(self) -> float:
        return sum(map(resident_mib, self.pids()))


@dataclass(frozen=True, slots=True)
class Upstream:
    """Ports. `other` answers "other" instead of "ok", over HTTP/1.1."""

    http1: int
    http2: int
    other: int


def filled(name: str, folder: Path, **values: object) -> Path:
    """A committed configuration with its `@words@` filled in, in `folder`."""
    text = (BASELINE / name).read_text()
    for key, value in {**values, "folder": folder}.items():
        text = text.replace(f"@{key}@", str(value))
    left = re.search(r"@[a-z0-9]+@", text)
    if left:
        raise ValueError(f"{name}: nothing was given for {left[0]}")
    path = folder / f"{values.get('listen', '')}{name}"
    path.write_text(text)
    return path


def upstream(stage: Stage, core: int | None) -> Upstream:
    http1, http2, other = free_ports(3)
    config = filled("upstream.conf", stage.folder, http1=http1, http2=http2, other=other)
    cores = None if core is None else [core]
    process = stage.start("upstream", ["nginx", "-c", config, "-e", "stderr"], cores=cores)
    wait_until(lambda: accepts(http1) and accepts(http2), 10, "the upstream", process)
    return Upstream(http1, http2, other)


def envoy(stage: Stage, core: int, port: int, config: str = "envoy.yaml", name: str = "Envoy by hand") -> Contender:
    listen, admin = free_ports(2)
    path = filled(config, stage.folder, listen=listen, admin=admin, upstream=port)
    command = [str(binary.find()), "-c", str(path), "--concurrency", "1", "--disable-hot-restart", "-l", "error"]
    process = stage.start(config, command, cores=[core])
    wait_until(lambda: accepts(listen), 20, name, process)
    return Contender(name, listen, lambda: tree(process.pid))


def nginx(stage: Stage, core: int, port: int) -> Contender:
    (listen,) = free_ports(1)
    config = filled("nginx.conf", stage.folder, listen=listen, upstream=port)
    process = stage.start("nginx", ["nginx", "-c", config, "-e", "stderr"], cores=[core])
    wait_until(lambda: accepts(listen), 10, "nginx", process)
    return Contender("nginx", listen, lambda: tree(process.pid))


def haproxy(stage: Stage, core: int, port: int) -> Contender:
    (listen,) = free_ports(1)
    config = filled("haproxy.cfg", stage.folder, listen=listen, upstream=port)
    process = stage.start("haproxy", ["/usr/sbin/haproxy", "-db", "-f", config], cores=[core])
    wait_until(lambda: accepts(listen), 10, "HAProxy", process)
    return Contender("HAProxy", listen, lambda: tree(process.pid))


# ---- Sampan: three gateways, each by its own documents and `sampan up`


def sampan(stage: Stage, core: int, port: int, *, protocol: str = "", name: str = "Sampan") -> Contender:
    """One route to one service. `protocol` is the appProtocol of its port."""
    (listen,) = free_ports(1)
    text = documents.SEPARATOR.join(
        (
            documents.gateway([documents.Listener("web", listen)]),
            documents.service_with_endpoints("backend", port, protocol=protocol),
            documents.http_route("all", [("backend", 1)], path="/"),
        )
    )
    return _started(stage, core, name, listen, text)


def sampan_with_routes(stage: Stage, core: int, port: int) -> Contender:
    """As the demo's shop has it: several hosts and services, exact paths, prefixes, headers, weights, a redirect.
    The request measured goes by the last path of the host."""
    (listen,) = free_ports(1)
    shop = "shop.example.com"
    services = [f"service-{number}" for number in range(SERVICES)]
    parts = [
        documents.gateway([documents.Listener("web", listen)]),
        *(documents.service_with_endpoints(one, port) for one in services),
        *(
            documents.http_route(f"{host.partition('.')[0]}-{one}", [(one, 1)], path=f"/{one}", hostname=host)
            for host in ("www.example.com", "api.example.com", shop)
            for one in services
        ),
        documents.http_route("weighed", [(services[0], 90), (services[1], 10)], path="/weighed", hostname=shop),
        documents.http_route("changed", [(services[0], 1)], path="/changed", hostname=shop, header="v1"),
        _SEVERAL_MATCHES,
        documents.http_route("rest", [(services[0], 1)], path="/", hostname=shop),
    ]
    return _started(stage, core, "Sampan, 40 routes", listen, documents.SEPARATOR.join(parts), host=shop)


_SEVERAL_MATCHES = """\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: matches}
spec:
  parentRefs: [{name: bench}]
  hostnames: [shop.example.com]
  rules:
    - matches:
        - path: {type: PathPrefix, value: /reviews}
          headers: [{name: x-version, value: v2}]
        - path: {type: Exact, value: /reviews/new}
          method: POST
        - path: {type: PathPrefix, value: /search}
          queryParams: [{name: beta, value: "1"}]
      backendRefs: [{name: service-1, port: 80}]
    - matches: [{path: {type: Exact, value: /old}}]
      filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplaceFullPath, replaceFullPath: /new}}}]
    - matches:
"""
_SEVERAL_MATCHES += "".join(f"        - path: {{type: Exact, value: /page-{number}}}\n" for number in range(15))
_SEVERAL_MATCHES += "      backendRefs: [{name: service-2, port: 80}]\n"


def _started(stage: Stage, core: int, name: str, listen: int, text: str, host: str = "localhost") -> Contender:
    folder, state = stage.folder / f"{listen}", stage.folder / f"s{listen}"
    folder.mkdir()
    documents.put(folder / "all.yaml", text)
    running = Sampan.start(stage, folder, state, cores=[core])
    running.wait_for(listen, host=host)
    return Contender(name, listen, running.pids, running.envoys, host=host)


# ---- the load


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk counted. Microseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float


_UNITS: Mapping[str, float] = {"us": 1.0, "ms": 1e3, "s": 1e6, "m": 60e6}


def wrk(contender: Contender, core: int, seconds: int, connections: int = 64) -> Load:
    """Raises ProcessFailedError if any answer was not a 2xx, or any socket had an error."""
    url = f"http://127.0.0.1:{contender.port}{contender.path}"
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    command += ["-H", f"Host: {contender.host}", url]
    said = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)
    text = said.stdout
    found = re.search(r"(\d+) requests in ([\d.]+)(m|s),", text)
    if said.returncode or not found or "Non-2xx" in text or "Socket errors" in text:
        raise ProcessFailedError(f"{contender.name}: wrk says\n{text}{said.stderr}")
    return Load(int(found[1]), float(found[2]) * _UNITS[found[3]] / 1e6, _latency(text, 50), _latency(text, 99))


def _latency(text: str, percent: int) -> float:
    found = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s|m)$", text, re.MULTILINE)
    return float(found[1]) * _UNITS[found[2]] if found else float("nan")
