"""Commands that ask a running Sampan: an API that the tests fill, on a real Unix socket."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from typer.testing import Result

from sampan.cli import columns

Run = Callable[..., Result]


def _condition(type_: str, status: str = "True", reason: str = "") -> dict[str, str]:
    return {
        "type": type_,
        "status": status,
        "reason": reason or type_,
        "lastTransitionTime": "2020-01-01T00:00:00Z",
        "message": "because",
    }


def _parent(name: str, conditions: list[dict[str, str]]) -> dict[str, Any]:
    return {"parentRef": {"kind": "Gateway", "namespace": "default", "name": name}, "conditions": conditions}


def _route(name: str, *parents: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": "default", "generation": 3},
        "spec": {"parentRefs": [{"name": "shop", "sectionName": "http"}], "hostnames": ["a.example", "b.example"]},
        "status": {"parents": [_parent(f"shop{number}", item) for number, item in enumerate(parents)]},
    }


GOOD = _route("good", [_condition("Accepted"), _condition("ResolvedRefs")])
BAD = _route(
    "bad",
    [_condition("Accepted"), _condition("ResolvedRefs", "False", "BackendNotFound")],
    [_condition("Accepted", "False", "NoMatchingParent"), _condition("ResolvedRefs", "False", "BackendNotFound")],
)
GATEWAY = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "Gateway",
    "metadata": {"name": "shop", "namespace": "default", "creationTimestamp": "2020-01-01T00:00:00Z"},
    "spec": {"gatewayClassName": "sampan", "listeners": [{"name": "http", "protocol": "HTTP", "port": 8080}]},
    "status": {
        "addresses": [{"type": "IPAddress", "value": "127.0.0.1"}],
        "conditions": [_condition("Accepted"), _condition("Programmed")],
        "listeners": [
            {"name": "http", "attachedRoutes": 2, "conditions": [_condition("Conflicted", "False", "NoConflicts")]}
        ],
    },
}


def test_get_prints_columns_as_kubectl_does(sampan: Run, fake_api: Any) -> None:
    fake_api.answers["/v1/objects"] = {"items": [BAD, GOOD]}
    result = sampan("get", "httproutes")
    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["NAME", "HOSTNAMES", "PARENTS", "ACCEPTED", "RESOLVED", "REASON"],
        ["bad", "a.example,b.example", "shop/http", "1/2", "False", "BackendNotFound,NoMatchingParent"],
        ["good", "a.example,b.example", "shop/http", "True", "True", "<none>"],
    ]
    assert fake_api.asked == ["/v1/objects?kind=HTTPRoute&namespace=default"]


def test_get_wide_shows_more(sampan: Run, fake_api: Any) -> None:
    fake_api.answers["/v1/objects"] = {"items": [GATEWAY]}
    plain, wide = sampan("get", "gtw"), sampan("get", "gtw", "-o", "wide")
    assert plain.stdout.split()[:6] == ["NAME", "CLASS", "ADDRESS", "PROGRAMMED", "ROUTES", "AGE"]
    assert plain.stdout.split()[6:11] == ["shop", "sampan", "127.0.0.1", "True", "2"]
    assert "LISTENERS" not in plain.stdout
    assert "HTTP:8080" in wide.stdout


def test_get_everywhere_and_by_name(sampan: Run, fake_api: Any) -> None:
    fake_api.answers["/v1/objects"] = {"items": [GOOD]}
    assert sampan("get", "httproute", "-A").stdout.split()[:2] == ["NAMESPACE", "NAME"]
    assert json.loads(sampan("get", "httproute", "good", "-n", "shop", "-o", "json").stdout) == GOOD
    assert sampan("get", "httproute/good", "-o", "name").stdout == "httproute/good\n"
    assert sampan("get", "gatewayclasses").exit_code == 0
    assert fake_api.asked == [
        "/v1/objects?kind=HTTPRoute",
        "/v1/objects?kind=HTTPRoute&namespace=shop&name=good",
        "/v1/objects?kind=HTTPRoute&namespace=default&name=good",
        "/v1/objects?kind=GatewayClass",
    ]


def test_get_all_has_a_table_for_each_kind(sampan: Run, fake_api: Any) -> None:
    fake_api.answers["/v1/objects"] = {"items": [GOOD, GATEWAY]}
    gateways, routes = sampan("get", "all").stdout.split("\n\n")
    assert "gateway/shop" in gateways
    assert "httproute/good" in routes


def test_get_lists_are_lists_as_kubectl_has_them(sampan: Run, fake_api: Any) -> None:
    fake_api.answers["/v1/objects"] = {"items": [GOOD]}
    assert yaml.safe_load(sampan("get", "httproute", "-o", "yaml").stdout) == {
        "apiVersion": "v1",
        "kind": "List",
        "items": [GOOD],
    }


def test_get_nothing(sampan: Run, fake_api: Any) -> None:
    fake_api.answers["/v1/objects"] = {"items": []}
    listed = sampan("get", "svc")
    assert (listed.exit_code, listed.stdout, listed.stderr) == (0, "", "nothing found in namespace default\n")
    assert sampan("get", "gc").stderr == "nothing found\n"
    named = sampan("get", "svc", "cart")
    assert named.exit_code == 1
    assert named.stderr.startswith("error: there is no service 'cart' in namespace default\n")


def test_watch_prints_what_changes(sampan: Run, fake_api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = {**GOOD, "spec": {**GOOD["spec"], "hostnames": ["new.example"]}}
    answers = iter([[GOOD, BAD], [GOOD, BAD], [changed]])

    def next_answer() -> dict[str, Any]:
        try:
            return {"items": next(answers)}
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr("sampan.cli.api.Api.objects", lambda *_: next_answer()["items"])
    monkeypatch.setattr("sampan.cli.commands.get.WATCH_SECONDS", 0.0)
    result = sampan("get", "httproutes", "-w")
    assert result.exit_code == 130
    first, second = result.stdout.count("good"), result.stdout.count("new.example")
    assert (first, second) == (2, 1)
    assert result.stderr == "HTTPRoute/default/bad is gone\n"


RECORD = {
    "code": "SMP0103",
    "severity": "error",
    "title": "unknown field",
    "file": "shop.yaml",
    "line": 3,
    "column": 5,
    "object": "HTTPRoute/default/bad",
    "field": "spec.rulez",
    "reason": "there is no field rulez",
    "hint": "did you mean rules?",
}


def test_get_diagnostics(sampan: Run, fake_api: Any) -> None:
    fake_api.answers["/v1/diagnostics"] = {"items": [RECORD]}
    assert "shop.yaml:3:5: error[SMP0103]: there is no field rulez" in sampan("get", "diagnostics").stdout
    assert json.loads(sampan("get", "diagnostics", "-o", "json").stdout) == {"items": [RECORD]}


POLICY = {"rule": "rule 0", "kind": "Timeout", "field": "request", "value": "5s", "origin": "Timeout/default/quick"}
ENDPOINT = {"address": "127.0.0.1", "port": 9001, "weight": 1, "state": "ready"}
DESCRIBED = (
    "Name:         bad",
    "hostnames:",
    "NoMatchingParent",
    "Gateway/default/shop1",
    "error[SMP0103]",
    "Timeout/default/quick",
)


def test_describe_shows_everything(sampan: Run, fake_api: Any) -> None:
    fake_api.answers["/v1/describe"] = {
        "object": BAD,
        "diagnostics": [RECORD],
        "policies": [
            {"rule": "rule 0", "kind": "Timeout", "field": "request", "value": "5s", "origin": "Timeout/default/quick"}
        ],
        "routes": [],
        "backends": [
            {
                "upstream": "service/default/cart/80",
                "endpoints": [{"address": "127.0.0.1", "port": 9001, "weight": 1, "state": "ready"}],
            },
            {"upstream": "service/default/gone/80", "endpoints": []},
        ],
    }
    result = sampan("describe", "httproute", "bad")
    assert fake_api.asked == ["/v1/describe?kind=HTTPRoute&namespace=default&name=bad"]
    text = result.stdout
    for part in DESCRIBED:
        assert part in text
    assert "127.0.0.1:9001   1        ready" in text
    assert "no endpoints" in text
    assert "Routes:" not in text
    assert json.loads(sampan("describe", "httproute/bad", "-o", "json").stdout)["object"] == BAD


CHECKS = [
    {"name": "Serf Health Status", "status": "passing", "output": "Agent alive and reachable"},
    {"name": "slow", "status": "warning", "output": ""},
    {"name": "http", "status": "critical", "output": "HTTP GET http://x: 503\nbody \x1b[31m"},
]


def _service(name: str, source: str, ready: int, total: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"ports": [{"port": 80}], "selector": {"app": "x"}},
        "status": {"source": source, "endpoints": {"ready": ready, "total": total}},
    }


def test_services_say_where_they_come_from_and_how_many_serve(sampan: Run, fake_api: Any) -> None:
    items = [_service("cart", "files", 2, 2), _service("reviews", "consul", 1, 3), _service("gone", "consul", 0, 0)]
    fake_api.answers["/v1/objects"] = {"items": items}
    assert sampan("get", "svc").stdout == (
        "NAME      TYPE        PORT(S)   ENDPOINTS   FROM\n"
        "cart      ClusterIP   80/TCP    2           files\n"
        "reviews   ClusterIP   80/TCP    1/3         consul\n"
        "gone      ClusterIP   80/TCP    0           consul\n"
    )
    items[1]["metadata"]["annotations"] = {"sampan.dev/registered-name": "Reviews"}
    wide = sampan("get", "svc", "-o", "wide").stdout.splitlines()
    assert [line.split()[-2:] for line in wide] == [
        ["REGISTERED", "AS"],
        ["app=x", "<none>"],
        ["app=x", "Reviews"],
        ["app=x", "<none>"],
    ]


def test_instances_say_how_they_are_and_why(sampan: Run, fake_api: Any) -> None:
    item = {
        "apiVersion": "sampan.dev/v1alpha1",
        "kind": "Instance",
        "metadata": {"name": "reviews@n1/r1", "namespace": "default", "labels": {"version": "v2"}},
        "spec": {"address": "::1", "port": 9080, "service": "reviews", "weight": 1},
        "status": {"state": "down", "checks": CHECKS},
    }
    fake_api.answers["/v1/objects"] = {"items": [item]}
    headings, row = sampan("get", "inst").stdout.splitlines()
    assert headings.split() == ["NAME", "SERVICE", "VERSION", "ADDRESS", "STATE", "WHY"]
    assert " ".join(row.split()) == (
        "reviews@n1/r1 reviews v2 [::1]:9080 down http: critical: HTTP GET http://x: 503; slow: warning"
    )
    sampan("get", "instances", "reviews@n1/r1")
    assert fake_api.asked[-1] == "/v1/objects?kind=Instance&namespace=default&name=reviews%40n1%2Fr1"


def test_describe_shows_the_instances_of_a_service(sampan: Run, fake_api: Any) -> None:
    instance = {
        "name": "reviews@n1/r1",
        "source": "consul",
        "id": "r1",
        "node": "n1",
        "address": "10.0.0.1",
        "port": 9080,
        "version": "v2",
        "weight": 3,
        "state": "down",
        "checks": CHECKS,
        "tags": ["fast", "e-" + "0" * 80],
        "meta": {"team": "a\x1b[31m"},
    }
    socket = {**instance, "id": "r2", "address": "/run/r2.sock", "port": 0, "state": "ready", "checks": CHECKS[:1]}
    described = {"object": _service("reviews", "consul", 1, 2), "instances": [instance, {**socket, "tags": []}]}
    fake_api.answers["/v1/describe"] = described
    text = sampan("describe", "service", "reviews@consul").stdout
    assert fake_api.asked == ["/v1/describe?kind=Service&namespace=default&name=reviews%40consul"]
    lines = [" ".join(line.split()) for line in text[text.index("Instances:") :].splitlines()]
    assert lines == [
        "Instances:",
        "ID NODE VERSION ADDRESS WEIGHT STATE WHY",
        "r1 n1 v2 10.0.0.1:9080 3 down http: critical: HTTP GET http://x: 503; slow: warning",
        "r2 n1 v2 /run/r2.sock 3 ready <none>",
        f"r1 tags: fast, e-{'0' * 58}…",
        "r1 meta: team=a\\x1b[31m",
        "r2 meta: team=a\\x1b[31m",
    ]


PROXY = {
    "proxy": "default/shop",
    "connected": True,
    "since": "2020-01-01T00:00:00Z",
    "pid": 42,
    "state": "serving",
    "envoy": "1.40.0",
    "types": {"listeners": {"sent": "a", "confirmed": "a", "in_sync": True}},
    "refused": [],
}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({}, "in sync"),
        ({"types": {"route": {"sent": "b", "confirmed": "a", "in_sync": False}}}, "behind"),
        ({"refused": [{"type": "route", "names": ["shop"], "error": "bad\nregex", "since": None}]}, "refused"),
        ({"connected": False}, "away"),
    ],
)
def test_proxies_say_in_a_word_how_they_are(sampan: Run, fake_api: Any, change: dict[str, Any], word: str) -> None:
    fake_api.answers["/v1/proxies"] = {"items": [{**PROXY, **change}]}
    result = sampan("proxies")
    assert word in result.stdout.splitlines()[1]
    if "refused" in change:
        assert "refused: default/shop: route shop" in result.stdout
        assert r"bad\nregex" in result.stdout
    assert json.loads(sampan("proxies", "-o", "json").stdout) == {"items": [{**PROXY, **change}]}


def test_config_of_a_proxy(sampan: Run, fake_api: Any) -> None:
    resources = {"clusters": [{"name": "service/default/cart/80"}]}
    fake_api.answers["/v1/proxies/default/shop/config"] = {"resources": {"cluster": resources["clusters"]}}
    assert yaml.safe_load(sampan("config", "shop").stdout) == resources
    assert json.loads(sampan("config", "default/shop", "--type", "clusters", "-o", "json").stdout) == resources
    assert fake_api.asked[-1] == "/v1/proxies/default/shop/config?type=clusters"


def test_errors_of_the_api_are_passed_on(sampan: Run, fake_api: Any) -> None:
    result = sampan("config", "nope")
    assert result.exit_code == 1
    assert result.stderr == "error: there is no /v1/proxies/default/nope/config\nhint: look again\n"


@pytest.mark.parametrize("answer", [b"<html>", b"[]"])
def test_a_strange_answer_is_a_sentence(sampan: Run, fake_api: Any, answer: bytes) -> None:
    fake_api.answers["/v1/proxies"] = answer
    result = sampan("proxies")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: the Sampan at ")


AGES = (
    (0, "0s"),
    (119, "119s"),
    (120, "2m"),
    (200, "3m20s"),
    (660, "11m"),
    (10800, "3h"),
    (11100, "3h5m"),
    (90000, "25h"),
    (200000, "2d7h"),
    (900000, "10d"),
)


@pytest.mark.parametrize(("seconds", "text"), AGES)
def test_ages_as_kubectl_writes_them(seconds: int, text: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    created = (now - timedelta(seconds=seconds)).isoformat()
    assert columns.age({"metadata": {"creationTimestamp": created}}, now) == text


def test_names_are_completed(sampan: Run, fake_api: Any) -> None:
    fake_api.answers["/v1/objects"] = {"items": [GOOD, BAD]}
    fake_api.answers["/v1/proxies"] = {"items": [PROXY]}

    def proposed(*words: str) -> list[str]:
        environment = {
            "_SAMPAN_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(words),
            "COMP_CWORD": str(len(words) - 1),
        }
        return str(sampan(**environment).stdout).split()

    assert proposed("sampan", "get", "grpc") == ["grpcroutes"]
    assert proposed("sampan", "get", "gt") == ["gtw"]
    assert proposed("sampan", "get", "httproutes", "g") == ["good"]
    assert proposed("sampan", "config", "d") == ["default/shop"]


def test_completion_without_a_running_one_proposes_nothing(sampan: Run) -> None:
    environment = {"_SAMPAN_COMPLETE": "complete_bash", "COMP_WORDS": "sampan config d", "COMP_CWORD": "2"}
    result = sampan(**environment)
    assert (result.stdout.strip(), result.stderr) == ("", "")
