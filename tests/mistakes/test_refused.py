"""What only Envoy refuses is told of the object at fault, at a cold start and later, and everything else is served."""

from __future__ import annotations

import json
import socket
import ssl
from pathlib import Path

import pytest
import yaml

from ..conformance.certificates import authority, tls_secret
from ..daemon.conftest import Echo, Sampan, backend, document, free_port, gateway, joined, route, until

pytestmark = pytest.mark.envoy

ODD = Path(__file__).with_name("rsa-pss.yaml").read_text()


def raw(name: str, kind: str, target: str, **fields: object) -> str:
    group = "" if kind == "Service" else "gateway.networking.k8s.io"
    spec = {"targetRefs": [{"group": group, "kind": kind, "name": target}], **fields}
    return document("sampan.dev/v1alpha1", "RawRoute", name) + json.dumps(spec) + "\n"


def basis(sampan: Sampan, echo: Echo) -> str:
    return joined(gateway(sampan.port), backend("one", echo.port), route("good", {"one": 1}))


def service(name: str, port: int) -> str:
    """A Service over a Backend, and a route to it."""
    about = {
        "apiVersion": "sampan.dev/v1alpha1",
        "kind": "Backend",
        "metadata": {"name": name, "labels": {"app": name}},
    }
    reached = {**about, "spec": {"endpoints": [{"address": "127.0.0.1", "port": port}]}}
    spec = {"selector": {"app": name}, "ports": [{"port": 80}]}
    served = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
    rule = {"matches": [{"path": {"value": f"/{name}"}}], "backendRefs": [{"name": name, "port": 80}]}
    routed = document("gateway.networking.k8s.io/v1", "HTTPRoute", name) + json.dumps(
        {"parentRefs": [{"name": "shop"}], "hostnames": ["shop.example"], "rules": [rule]}
    )
    return yaml.safe_dump_all([reached, served]) + "---\n" + routed + "\n"


@pytest.mark.parametrize("cold", [True, False])
def test_a_cluster(sampan_with_raw_route: Sampan, one: Echo, cold: bool) -> None:
    sampan = sampan_with_raw_route
    sampan.write("all.yaml", joined(basis(sampan, one), service("mine", one.port)))
    bad = raw("bad", "Service", "mine", ejectedPercent=101)
    if cold:
        sampan.write("bad.yaml", bad)
    sampan.start()
    sampan.until_answer("one")
    if not cold:
        sampan.until_answer("one", "/mine")
        sampan.write("bad.yaml", bad)
    told = sampan.until_diagnostic("SMP0501")
    assert told["object"] == "Service/default/mine"
    assert told["line"]
    assert "circuit_breakers" not in told["reason"], "Envoy prints the whole message before what is wrong with it"
    assert "EnforcingConsecutive_5Xx: value must be less" in told["reason"]
    assert sampan.ask() == (200, "one")
    assert sampan.ask("/mine")[0] == (503 if cold else 200)
    sampan.write("more.yaml", route("more", {"one": 1}, path="/more"))
    sampan.until_answer("one", "/more")
    sampan.remove("bad.yaml")
    sampan.until_answer("one", "/mine")
    until(lambda: not sampan.diagnostics(), sampan.diagnostics)


@pytest.mark.parametrize("cold", [True, False])
def test_a_listener(sampan_with_raw_route: Sampan, one: Echo, cold: bool) -> None:
    sampan = sampan_with_raw_route
    second = free_port()
    sampan.write("all.yaml", joined(basis(sampan, one), gateway(second, "second")))
    bad = raw("bad", "Gateway", "second", statPrefix="")
    if cold:
        sampan.write("bad.yaml", bad)
    sampan.start()
    sampan.until_answer("one")
    if not cold:
        sampan.until_answer(404, port=second)
        sampan.write("bad.yaml", bad)
    told = sampan.until_diagnostic("SMP0501")
    assert told["object"] == "Gateway/default/second"
    assert "StatPrefix" in told["reason"]
    assert sampan.ask() == (200, "one")
    assert sampan.ask(port=second)[0] == (0 if cold else 404)
    programmed = {
        item["type"]: item for item in sampan.api.objects("Gateway", "default", "second")[0]["status"]["conditions"]
    }
    assert programmed["Programmed"]["status"] == "False"
    assert "StatPrefix" in programmed["Programmed"]["message"]
    sampan.remove("bad.yaml")
    sampan.until_answer(404, port=second)
    until(lambda: not sampan.diagnostics(), sampan.diagnostics)


def hello(port: int, host: str) -> bool:
    """Whether the port shows a certificate for that name."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection(("127.0.0.1", port), 5) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return True
    except OSError:
        return False


@pytest.mark.parametrize("cold", [True, False])
def test_a_certificate_beside_a_good_one(sampan: Sampan, one: Echo, cold: bool) -> None:
    port = free_port()
    pairs = {"a": "a.example", "odd.example": "odd.example", "z": "z.example"}
    listeners = [
        {
            "name": f"l{number}",
            "protocol": "HTTPS",
            "port": port,
            "hostname": host,
            "tls": {"certificateRefs": [{"name": name}]},
        }
        for number, (name, host) in enumerate(pairs.items())
    ]
    secure = document("gateway.networking.k8s.io/v1", "Gateway", "tls") + json.dumps(
        {"gatewayClassName": "sampan", "listeners": listeners}
    )
    good = yaml.safe_dump_all([tls_secret("default", name, authority().leaf(f"{name}.example")) for name in ("a", "z")])
    fine = yaml.safe_dump(tls_secret("default", "odd.example", authority().leaf("odd.example")))
    sampan.write("all.yaml", joined(basis(sampan, one), good, secure + "\n"))
    sampan.write("odd.yaml", ODD if cold else fine)
    sampan.start()
    sampan.until_answer("one")
    until(lambda: hello(port, "a.example") and hello(port, "z.example"), lambda: sampan.log)
    if not cold:
        sampan.write("odd.yaml", ODD)
    told = sampan.until_diagnostic("SMP0501")
    assert told["object"] == "Secret/default/odd.example"
    assert told["file"].endswith("odd.yaml")
    assert hello(port, "odd.example") is not cold, "the last good certificate stays in force"
    assert hello(port, "a.example")
    assert hello(port, "z.example")
    status = sampan.api.objects("Gateway", "default", "tls")[0]["status"]
    programmed = [
        condition["status"]
        for listener in status["listeners"]
        for condition in listener["conditions"]
        if condition["type"] == "Programmed"
    ]
    assert programmed == ["True", "False", "True"]
    sampan.write("odd.yaml", fine)
    until(lambda: hello(port, "odd.example") and not sampan.diagnostics(), sampan.diagnostics)
