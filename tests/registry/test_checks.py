"""Checks that the running registry runs: services that turn bad and good again, and what each kind is told and says."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from ..consul_binary import Agent, running
from . import pem
from .embedded import NODE, Embedded, embedded
from .servers import Door, Health, Web, health, web

Check = dict[str, Any]
OFTEN = "1s"  # the shortest interval that there is


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with embedded(tmp_path_factory.mktemp("registry"), "--dns", "off") as serving:
        yield serving.client


@pytest.fixture(scope="module")
def consul() -> Iterator[httpx.Client]:
    with running() as agent, client_of(agent) as client:
        yield client


def client_of(agent: Agent) -> httpx.Client:
    return httpx.Client(base_url=agent.url, trust_env=False, timeout=20)


def register(client: httpx.Client, name: str, **check: Any) -> None:
    answer = client.put("/v1/agent/service/register", json={"Name": name, "Port": 1, "Check": check})
    assert answer.is_success, answer.text


def when(client: httpx.Client, name: str, wanted: Callable[[Check], bool]) -> Check:
    """The service's check as soon as it is so, by a blocking query. A new output alone would take minutes."""
    index = "0"
    for _ in range(8):
        answer = client.get(f"/v1/health/checks/{name}", params={"index": index, "wait": "10s"})
        found = [check for check in answer.json() if wanted(check)]
        if found:
            return dict(found[0])
        index = answer.headers["X-Consul-Index"]
    raise AssertionError(answer.text)


def status(wanted: str) -> Callable[[Check], bool]:
    return lambda check: check["Status"] == wanted


@pytest.fixture
def site() -> Iterator[Web]:
    with web() as serving:
        yield serving


@pytest.fixture
def healthy() -> Iterator[Health]:
    with health() as serving:
        yield serving


def test_http_bad_and_good_again(ours: httpx.Client, site: Web) -> None:
    register(ours, "http", HTTP=site.url, Interval=OFTEN)
    good = when(ours, "http", status("passing"))
    assert good["Output"] == f"HTTP GET {site.url}: 200 OK Output: all is well"
    assert good["Type"] == "http"
    for code, found in ((500, "critical"), (429, "warning"), (404, "critical"), (204, "passing")):
        site.status, site.body = code, b""
        assert f": {code} " in when(ours, "http", status(found))["Output"]
    assert not ours.get("/v1/health/service/http", params={"passing": "1"}).json()[0]["Checks"][-1]["Notes"]


def test_http_is_told_what_the_check_says(ours: httpx.Client, site: Web) -> None:
    header = {"X-Several": ["one", "two"], "Host": ["shop.example"]}
    register(ours, "asks", HTTP=site.url, Interval=OFTEN, Method="POST", Header=header, Body='{"deep":true}')
    when(ours, "asks", status("passing"))
    method, path, headers, body = site.seen[0]
    assert (method, path, body) == ("POST", "/health", b'{"deep":true}')
    assert headers["Host"] == "shop.example"
    assert headers["User-Agent"] == "Consul Health Check"
    assert headers["Accept"] == "text/plain, text/*, */*"
    assert headers["Connection"] == "close"
    assert headers["X-Several"] in ("one", "two")


def test_http_keeps_the_end_of_what_is_said(ours: httpx.Client, site: Web) -> None:
    site.body = b"a" * 100_000 + b"the end"
    register(ours, "long", HTTP=site.url, Interval=OFTEN)
    output = when(ours, "long", status("passing"))["Output"]
    assert output.endswith("aathe end")
    assert len(output.partition("Output: ")[2]) == 4096


def test_http_follows_to_another_place_unless_told_not_to(ours: httpx.Client, site: Web) -> None:
    with web() as moved:
        moved.status, moved.location = 302, site.url
        register(ours, "follows", HTTP=moved.url, Interval=OFTEN)
        register(ours, "stays", HTTP=moved.url, Interval=OFTEN, DisableRedirects=True, Status="passing")
        when(ours, "follows", status("passing"))
        assert ": 302 " in when(ours, "stays", status("critical"))["Output"]


def test_http_that_does_not_answer_in_time(ours: httpx.Client, site: Web) -> None:
    site.stalled.clear()
    register(ours, "slow", HTTP=site.url, Interval=OFTEN, Timeout="100ms", Status="passing")
    assert "deadline exceeded" in when(ours, "slow", status("critical"))["Output"]


def test_tls_is_verified_unless_told_not_to(ours: httpx.Client, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem.written(tmp_path))
    with web(context) as site:
        register(ours, "strict", HTTP=site.url, Interval=OFTEN, Status="passing")
        register(ours, "lax", HTTP=site.url, Interval=OFTEN, TLSSkipVerify=True, TLSServerName="shop.example")
        place = site.url.split("/")[2]
        register(ours, "tcp-strict", TCP=place, TCPUseTLS=True, Interval=OFTEN, Status="passing")
        register(ours, "tcp-lax", TCP=place, TCPUseTLS=True, Interval=OFTEN, TLSSkipVerify=True)
        for name in ("strict", "tcp-strict"):
            assert "x509" in when(ours, name, status("critical"))["Output"]
        for name in ("lax", "tcp-lax"):
            when(ours, name, status("passing"))


def test_tcp_bad_and_good_again(ours: httpx.Client) -> None:
    door = Door()
    place = f"127.0.0.1:{door.port}"
    try:
        register(ours, "tcp", TCP=place, Interval=OFTEN)
        assert when(ours, "tcp", status("passing"))["Output"] == f"TCP connect {place}: Success"
        door.close()
        refused = f"dial tcp {place}: connect: connection refused"
        assert when(ours, "tcp", status("critical"))["Output"] == refused
        door.open()
        when(ours, "tcp", status("passing"))
    finally:
        door.close()


def test_udp_is_bad_where_nobody_is(ours: httpx.Client) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{listening.getsockname()[1]}"
        register(ours, "udp", UDP=place, Interval=OFTEN, Timeout="50ms")
        when(ours, "udp", status("passing"))
    assert "refused" in when(ours, "udp", status("critical"))["Output"]


def test_grpc_bad_and_good_again(ours: httpx.Client, healthy: Health) -> None:
    register(ours, "grpc", GRPC=healthy.place, Interval=OFTEN)
    register(ours, "grpc-shop", GRPC=f"{healthy.place}/shop", Interval=OFTEN)
    register(ours, "grpc-none", GRPC=f"{healthy.place}/none", Interval=OFTEN, Status="passing")
    assert when(ours, "grpc", status("passing"))["Output"] == f"gRPC check {healthy.place}: success"
    when(ours, "grpc-shop", status("passing"))
    output = when(ours, "grpc-none", status("critical"))["Output"]
    assert output == "rpc error: code = NotFound desc = unknown service"
    healthy.status |= {"shop": 2}
    assert when(ours, "grpc-shop", status("critical"))["Output"] == ("gRPC application didn't report service healthy")
    healthy.status |= {"shop": 1, "": 0}
    when(ours, "grpc-shop", status("passing"))
    when(ours, "grpc", status("critical"))


def test_grpc_with_tls_that_is_not_verified(ours: httpx.Client, tmp_path: Path) -> None:
    whole = pem.written(tmp_path).read_bytes()
    with health(grpc.ssl_server_credentials([(whole, whole)])) as serving:
        named = {"GRPC": serving.place, "GRPCUseTLS": True, "Interval": OFTEN, "Timeout": "5s"}
        register(ours, "grpc-lax", **named, TLSSkipVerify=True)
        register(ours, "grpc-strict", **named, Status="passing")
        when(ours, "grpc-lax", status("passing"))
        assert "code = Unavailable" in when(ours, "grpc-strict", status("critical"))["Output"]


def test_h2ping(ours: httpx.Client, healthy: Health) -> None:
    register(ours, "h2", H2PING=healthy.place, H2PingUseTLS=False, Interval=OFTEN)
    when(ours, "h2", status("passing"))
    with web() as site:
        place = site.url.split("/")[2]
        register(ours, "no-h2", H2PING=place, H2PingUseTLS=False, Interval=OFTEN, Timeout="1s", Status="passing")
        when(ours, "no-h2", status("critical"))


def test_a_ttl_expires_and_a_report_saves_it(ours: httpx.Client) -> None:
    register(ours, "ttl", TTL="200ms", Status="passing")
    when(ours, "ttl", status("critical"))
    assert ours.get("/v1/agent/checks").json()["service:ttl"]["Output"] == "TTL expired"
    ours.put("/v1/agent/check/pass/service:ttl", params={"note": "here I am"})
    assert when(ours, "ttl", status("passing"))["Output"] == "here I am"
    expired = "TTL expired (last output before timeout follows): here I am"
    assert when(ours, "ttl", status("critical"))["Output"] == expired


def test_an_alias_follows_its_service(ours: httpx.Client) -> None:
    register(ours, "leader", TTL="1h", Status="passing")
    register(ours, "follower", AliasService="leader")
    when(ours, "follower", status("passing"))
    ours.put("/v1/agent/check/fail/service:leader", params={"note": "ill"})
    failing = "Aliased check \"Service 'leader' check\" failing: ill"
    assert when(ours, "follower", status("critical"))["Output"] == failing
    ours.put("/v1/agent/check/pass/service:leader")
    when(ours, "follower", status("passing"))


@pytest.mark.parametrize(
    "check", [{"Args": ["/bin/true"]}, {"Args": ["true"], "DockerContainerID": "c"}, {"ScriptArgs": ["true"]}]
)
def test_commands_are_not_run(ours: httpx.Client, check: Check) -> None:
    body = {"Name": "script", "Check": {**check, "Interval": "10s"}}
    answer = ours.put("/v1/agent/service/register", json=body)
    assert answer.status_code >= 400
    assert "Scripts are disabled on this agent" in answer.text


def test_what_is_deregistered_is_not_looked_at(ours: httpx.Client, site: Web) -> None:
    register(ours, "gone", HTTP=site.url, Interval=OFTEN)
    register(ours, "stays-here", HTTP=site.url + "?other", Interval=OFTEN)
    when(ours, "gone", status("passing"))
    ours.put("/v1/agent/service/deregister/gone")
    site.seen.clear()
    site.status = 500
    when(ours, "stays-here", status("critical"))
    site.status = 200
    when(ours, "stays-here", status("passing"))
    assert {path for _, path, *_ in site.seen} == {"/health?other"}


def test_after_a_kill_checks_go_on_and_say_what_they_said(tmp_path: Path, site: Web) -> None:
    with embedded(tmp_path, "--dns", "off") as serving:
        register(serving.client, "web", HTTP=site.url, Interval=OFTEN)
        register(serving.client, "ttl", TTL="1h")
        serving.put("/v1/agent/check/pass/service:ttl")
        when(serving.client, "web", status("passing"))
    site.status = 503
    with embedded(tmp_path, "--dns", "off") as serving:
        assert serving.get("/v1/health/checks/ttl")[0]["Status"] == "passing"
        when(serving.client, "web", status("critical"))


def test_the_process_is_slim_until_a_grpc_check(tmp_path: Path, healthy: Health) -> None:
    def has_grpc(serving: Embedded) -> bool:
        return "grpc/_cython" in Path(f"/proc/{serving.pid}/maps").read_text()

    with embedded(tmp_path, "--dns", "off") as serving:
        assert not has_grpc(serving)
        register(serving.client, "grpc", GRPC=healthy.place, Interval=OFTEN)
        when(serving.client, "grpc", status("passing"))
        assert has_grpc(serving)


@pytest.mark.consul
def test_what_is_found_is_what_consul_finds(
    ours: httpx.Client, consul: httpx.Client, site: Web, healthy: Health
) -> None:
    door = Door()
    door.close()
    with web() as ill, web() as busy:
        ill.status, ill.body, busy.status = 500, b"x" * 5000, 429
        given: dict[str, Check] = {
            "http-good": {"HTTP": site.url},
            "http-ill": {"HTTP": ill.url, "Method": "PUT"},
            "http-busy": {"HTTP": busy.url},
            "http-refused": {"HTTP": f"http://127.0.0.1:{door.port}/"},
            "tcp-good": {"TCP": site.url.split("/")[2]},
            "tcp-refused": {"TCP": f"127.0.0.1:{door.port}"},
            "grpc-good": {"GRPC": healthy.place},
            "grpc-shop": {"GRPC": f"{healthy.place}/shop"},
            "grpc-none": {"GRPC": f"{healthy.place}/none"},
            "ttl": {"TTL": "100ms"},
            "alias-none": {"AliasService": "nobody"},
            "alias-node": {"AliasNode": NODE, "AliasService": "none-here"},
        }
        found = []
        for client in (ours, consul):
            for name, check in given.items():
                # None begins as what it is: so each has something to write at its first finding.
                interval = {} if "TTL" in check or "AliasService" in check else {"Interval": OFTEN}
                register(client, f"same-{name}", **check, **interval, Status=begun(name))
            found.append({name: seen(client, name) for name in given})
    assert [(found[0][name], found[1][name]) for name in given if found[0][name] != found[1][name]] == []


def begun(name: str) -> str:
    return "passing" if name == "http-busy" else "warning"


def seen(client: httpx.Client, name: str) -> Check:
    check = when(client, f"same-{name}", lambda check: check["Status"] != begun(name))
    return {key: check[key] for key in ("Name", "Status", "Type", "Output", "CheckID")}


@pytest.mark.consul
def test_a_note_alone_is_told_later_as_in_consul(ours: httpx.Client, consul: httpx.Client) -> None:
    found = []
    for client in (ours, consul):
        register(client, "notes", TTL="1h")
        for note in ("one", "two", "3" * 5000):
            client.put("/v1/agent/check/update/service:notes", json={"Status": "passing", "Output": note})
            when(client, "notes", status("passing"))
        told = when(client, "notes", status("passing"))["Output"]
        found.append((told, client.get("/v1/agent/checks").json()["service:notes"]["Output"]))
    assert found[0] == found[1] == ("one", "3" * 4096 + " ... (captured 4096 of 5000 bytes)")
