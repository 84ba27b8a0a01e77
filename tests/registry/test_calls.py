"""What the calls answer over HTTP, where clients rely on more than rows: waiting, headers, refusals, garbage."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Any
from urllib.parse import quote

import pytest

from .embedded import until
from .serving import NODE, Answer, Serving

TTL = {"TTL": "1h"}


def woken(registry: Serving, path: str, *changes: Callable[[], Any], known: str = "") -> tuple[Answer, Answer]:
    """What a client reads that waits while the changes are made: before, and when it is answered. `known` is what it
    sends of what it knows; the index, if it is not said."""
    before, after = registry.get(path), []
    joined = "&" if "?" in path else "?"
    number = registry.waiting()
    with closing(Serving(registry.process, registry.address)) as waiter:
        asked = f"{path}{joined}{known or f'index={before.index}'}&wait=20s"
        thread = threading.Thread(target=lambda: after.append(waiter.get(asked)))
        thread.start()
        registry.until_waiting(number + 1)
        for change in changes:
            change()
        thread.join(30)
    return before, after[0]


def test_what_was_written_is_read_at_once(registry: Serving) -> None:
    for number in range(20):
        service_id = f"now-{number}"
        assert registry.register("now", ID=service_id).status == 200
        assert service_id in registry.ids("now")
        assert registry.put(f"/v1/agent/service/deregister/{service_id}").status == 200
        assert registry.ids("now") == []


def test_an_instance_with_its_node_and_checks(registry: Serving) -> None:
    registry.register("whole", ID="whole-1", Port=8080, Tags=["a"], Meta={"version": "1"}, Check=TTL)
    [entry] = registry.get("/v1/health/service/whole").json
    assert (entry["Node"]["Node"], entry["Node"]["Address"]) == (NODE, "127.0.0.1")
    assert (entry["Service"]["ID"], entry["Service"]["Port"], entry["Service"]["Tags"]) == ("whole-1", 8080, ["a"])
    assert [check["CheckID"] for check in entry["Checks"]] == ["serfHealth", "service:whole-1"]
    [flat] = registry.get("/v1/catalog/service/whole").json
    assert (flat["Address"], flat["ServiceID"], flat["ServiceMeta"]) == ("127.0.0.1", "whole-1", {"version": "1"})


def test_only_passing_instances_with_all_tags(registry: Serving) -> None:
    registry.register("chosen", ID="a", Tags=["x", "Y"], Check={**TTL, "Status": "passing"})
    registry.register("chosen", ID="b", Tags=["x"], Check={**TTL, "Status": "warning"})
    registry.register("chosen", ID="c", Tags=["x", "y"])
    wanted = {
        "": ["a", "b", "c"],
        "?passing": ["a", "c"],
        "?passing=1": ["a", "c"],
        "?passing=false": ["a", "b", "c"],
        "?tag=X": ["a", "b", "c"],
        "?tag=x&tag=y": ["a", "c"],
        "?tag=x&tag=z": [],
        "?filter=Service.ID!=c&passing": ["a"],
        "?tag=x%26passing": [],
    }
    found = {query: registry.get(f"/v1/health/service/chosen{query}").json for query in wanted}
    assert {query: [entry["Service"]["ID"] for entry in found[query]] for query in wanted} == wanted


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("/v1/health/service/woken", lambda registry: registry.register("woken", ID="w1")),
        ("/v1/catalog/service/woken", lambda registry: registry.register("woken", ID="w2")),
        ("/v1/catalog/services", lambda registry: registry.register("woken-new")),
        ("/v1/health/checks/woken", lambda registry: registry.register("woken", ID="w3", Check=TTL)),
        ("/v1/health/service/woken?passing", lambda registry: registry.put("/v1/agent/check/pass/service:w3")),
        ("/v1/health/state/critical", lambda registry: registry.put("/v1/agent/check/fail/service:w3")),
        (f"/v1/health/node/{NODE}", lambda registry: registry.put("/v1/agent/check/warn/service:w3?note=x")),
        (f"/v1/catalog/node/{NODE}", lambda registry: registry.put("/v1/agent/service/deregister/w1")),
        ("/v1/health/service/woken", lambda registry: registry.put("/v1/agent/service/maintenance/w2?enable=true")),
        ("/v1/health/service/woken", lambda registry: registry.put("/v1/agent/maintenance?enable=true")),
        ("/v1/health/service/woken", lambda registry: registry.put("/v1/agent/maintenance?enable=false")),
        (
            "/v1/catalog/nodes",
            lambda registry: registry.put("/v1/catalog/register", {"Node": "n1", "Address": "10.0.0.1"}),
        ),
        ("/v1/catalog/nodes", lambda registry: registry.put("/v1/catalog/deregister", {"Node": "n1"})),
        ("/v1/health/service/woken", lambda registry: registry.put("/v1/agent/service/deregister/w2")),
    ],
)
def test_who_waits_hears_of_a_change(registry: Serving, path: str, change: Callable[[Serving], Answer]) -> None:
    before, after = woken(registry, path, lambda: change(registry))
    assert after.index > before.index
    assert after.json != before.json


def test_the_last_instance_that_goes_wakes_too(registry: Serving) -> None:
    registry.register("last")
    before, after = woken(
        registry, "/v1/health/service/last", lambda: registry.put("/v1/agent/service/deregister/last")
    )
    assert after.index > before.index
    assert after.json == []


def test_another_service_wakes_nobody(registry: Serving) -> None:
    registry.register("quiet")
    waiting: list[int] = [registry.waiting()]
    before, after = woken(
        registry,
        "/v1/health/service/quiet",
        lambda: registry.register("loud", Check=TTL),
        lambda: waiting.append(registry.waiting()),
        lambda: registry.register("quiet", Port=1),
    )
    assert waiting[1] == waiting[0] + 1
    assert after.json[0]["Service"]["Port"] == 1
    registry.register("loud", Port=5)
    assert registry.get("/v1/health/service/quiet").index == after.index > before.index


def test_who_goes_away_waits_no_longer(registry: Serving) -> None:
    before = registry.waiting()
    with closing(socket.create_connection(registry.address.split(":"))) as waiter:
        waiter.sendall(b"GET /v1/health/service/gone?index=999999&wait=10m HTTP/1.1\r\nHost: x\r\n\r\n")
        registry.until_waiting(before + 1)
    until(lambda: registry.waiting() == before)


def test_a_service_of_the_agent_waits_for_other_content(registry: Serving) -> None:
    registry.register("hashed", Port=1)
    path = "/v1/agent/service/hashed"
    known = registry.get(path).headers["X-Consul-ContentHash"]
    before, after = woken(registry, path, lambda: registry.register("hashed", Port=2), known=f"hash={known}")
    assert before.json["ContentHash"] == known
    assert after.json["Port"] == 2
    assert after.headers["X-Consul-ContentHash"] == after.json["ContentHash"] != known


def test_a_large_service_is_said_once_to_all_who_wait(registry: Serving) -> None:
    for number in range(450):
        registry.register("many", ID=f"many-{number}")
    path, answers, number = "/v1/health/service/many", list[Answer](), registry.waiting()
    index = registry.get(path).index
    with ExitStack() as clients:
        threads = []
        for _ in range(10):
            client = clients.enter_context(closing(Serving(registry.process, registry.address)))
            threads.append(threading.Thread(target=_ask, args=(client, f"{path}?index={index}&wait=20s", answers)))
            threads[-1].start()
        registry.until_waiting(number + 10)
        registry.register("many", ID="many-0", Port=99)
        for thread in threads:
            thread.join(30)
    assert {answer.body for answer in answers} == {registry.get(path).body}
    assert len(answers) == 10
    ports = {entry["Service"]["ID"]: entry["Service"]["Port"] for entry in answers[0].json}
    assert (len(ports), ports["many-0"]) == (450, 99)


def _ask(client: Serving, path: str, answers: list[Answer]) -> None:
    answers.append(client.get(path))


def test_consistency_is_said_and_means_nothing_else(registry: Serving) -> None:
    registry.register("headers")
    said = {
        query: registry.get(f"/v1/health/service/headers{query}").headers["X-Consul-Effective-Consistency"]
        for query in ("", "?stale", "?consistent")
    }
    assert said == {"": "leader", "?stale": "stale", "?consistent": "consistent"}
    registry.register("headers", Port=5)
    first, second = (registry.get("/v1/health/service/headers?cached") for _ in range(2))
    assert first.json[0]["Service"]["Port"] == 5
    assert [answer.headers["X-Cache"] for answer in (first, second)] == ["MISS", "HIT"]
    assert second.headers["Age"] == "0"


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        (
            "/v1/health/service/x?stale&consistent",
            400,
            "Cannot specify ?stale with ?consistent, conflicting semantics.",
        ),
        (
            "/v1/health/service/x?cached&consistent",
            400,
            "Cannot specify ?cached with ?consistent, conflicting semantics.",
        ),
        ("/v1/health/service/x?index=x", 400, "Invalid index"),
        ("/v1/health/service/x?index=18446744073709551616", 400, "Invalid index"),
        ("/v1/health/service/x?index=" + "9" * 5000, 400, "Invalid index"),
        ("/v1/health/service/x?wait=9999999h", 400, "Invalid wait time"),
        ("/v1/health/service/x?wait=x", 400, "Invalid wait time"),
        ("/v1/health/service/x?passing=x", 400, "Invalid value for ?passing"),
        ("/v1/health/service/x?dc=dc2", 500, "No path to datacenter"),
        ("/v1/health/service/x?dc=dc1", 200, "[]"),
        (
            "/v1/health/service/x?ns=other",
            400,
            'Bad request: Invalid query parameter: "ns" - Namespaces are a Consul Enterprise feature',
        ),
        ("/v1/health/service/x?ns=default&partition=default", 200, "[]"),
        ("/v1/catalog/service/x?max_stale=x", 400, 'Invalid max_stale value "x"'),
        (
            "/v1/agent/services?filter=Foo==1",
            500,
            'Failed to create boolean expression evaluator: Selector "Foo" is not valid',
        ),
        ("/v1/health/service/", 400, "Missing service name"),
        ("/v1/health/state/", 400, "Missing check state"),
        ("/v1/catalog/node/none", 200, "null"),
        ("/v1/agent/service/none", 404, "unknown service ID: none"),
        ("/v1/acl/tokens", 401, "ACL support disabled"),
        ("/v1/nothing", 404, "Invalid URL path: this registry has no /v1/nothing"),
    ],
)
def test_a_question_that_makes_no_sense(registry: Serving, path: str, status: int, sentence: str) -> None:
    answer = registry.get(path)
    assert (answer.status, answer.text) == (status, sentence)


def test_no_page_of_another_site_registers_or_reads(registry: Serving) -> None:
    page = {"Origin": "http://evil.example:8500", "Host": "evil.example:8500", "Sec-Fetch-Site": "same-origin"}
    path, body = "/v1/agent/service/register", {"Name": "evil"}
    assert registry.call("PUT", path, body, page).status == 403
    assert registry.call("GET", "/v1/agent/services", None, page).status == 403
    assert registry.call("PUT", path, body, {"Origin": "https://evil.example"}).status == 403
    assert registry.ids("evil") == []


def test_one_slash_too_many_is_forgiven(registry: Serving) -> None:
    answer = registry.get("/v1//catalog//services?stale")
    assert (answer.status, answer.headers["Location"]) == (301, "/v1/catalog/services?stale")


def test_what_is_not_supported_says_so(registry: Serving) -> None:
    for path in ("/v1/config/service-defaults", "/v1/query", "/v1/connect/ca/roots", "/v1/snapshot"):
        answer = registry.get(path)
        assert answer.status == 501
        assert "registry" in answer.text


@pytest.mark.parametrize("path", ["/v1/agent/service/register", "/v1/agent/check/register", "/v1/catalog/register"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"Name": NaN}',
        b'{"Name": ' + b"9" * 5000 + b"}",
        b"[1]",
        b'{"Node": 1, "Port": "x", "Tags": {}}',
        b'{"Name": "x", "Check": 5}',
        b'{"Name": "x", "Checks": {"TTL": "1s"}}',
        b'{"Name": "x", "Weights": []}',
        b'{"Name": "x", "Proxy": {"Config": {"large": 1e999}}}',
        b'{"Name": "x", "Proxy": {"Config": ' + b'{"a":' * 600 + b"1" + b"}" * 600 + b"}}",
        b'{"Name": "x", "Check": {"TTL": "9999999h"}}',
    ],
)
def test_garbage_is_refused_and_changes_nothing(registry: Serving, path: str, body: bytes) -> None:
    before = registry.get("/v1/catalog/services")
    answer = registry.put(path, body)
    assert answer.status == 400
    assert answer.text
    after = registry.get("/v1/catalog/services")
    assert (after.index, after.json) == (before.index, before.json)


def test_a_filter_may_be_long(registry: Serving) -> None:
    registry.register("long", ID="last")
    wanted = " or ".join(f'Service.ID=="some-instance-{number}"' for number in range(500)) + " or Service.ID==last"
    (found,) = registry.get(f"/v1/health/service/long?filter={quote(wanted)}").json
    assert found["Service"]["ID"] == "last"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_no_transaction_lets_in_what_is_no_json(registry: Serving, number: str) -> None:
    service = f'{{"Service": "x", "Proxy": {{"Config": {{"large": {number}}}}}}}'
    body = f'[{{"Service": {{"Verb": "set", "Node": "{NODE}", "Service": {service}}}}}]'
    assert registry.put("/v1/txn", body.encode()).status == 400
    assert registry.ids("x") == []


@pytest.mark.parametrize("name", ["a/b c", "ünï", "line\nbreak", "nul\0", "half\ud800", "x" * 5000, "%2F", "?&="])
def test_any_name_can_be_registered_and_found_and_goes(registry: Serving, name: str) -> None:
    body = json.dumps({"Name": name, "Meta": {"k": name[:100]}, "Tags": [name], "Check": TTL}).encode()
    assert registry.put("/v1/agent/service/register", body).status == 200
    services = registry.get("/v1/agent/services").json
    [service_id] = [key for key in services if key == name.replace("\ud800", "�")]
    with_it = registry.get("/v1/agent/checks").json
    assert with_it[f"service:{service_id}"]["ServiceName"] == service_id
    gone = registry.put("/v1/catalog/deregister", {"Node": NODE, "ServiceID": service_id})
    assert gone.json is True
    assert service_id not in registry.get("/v1/agent/services").json


def test_a_node_of_somebody_elses(registry: Serving) -> None:
    entry = {"Node": "db-1", "Address": "10.0.0.9", "Service": {"Service": "db", "Port": 5432}}
    assert registry.put("/v1/catalog/register", {**entry, "Check": {"Name": "c", "ServiceID": "db"}}).json is True
    [instance] = registry.get("/v1/health/service/db").json
    assert instance["Node"]["Address"] == "10.0.0.9"
    half = registry.put(
        "/v1/catalog/register", {**entry, "Address": "10.0.0.8", "Check": {"Name": "c", "ServiceID": "x"}}
    )
    assert (half.status, half.text) == (500, 'failed inserting check: Missing service registration on node "db-1"')
    assert registry.get("/v1/health/service/db").json == [instance], "whole or not at all"
    assert registry.put("/v1/catalog/deregister", {"Node": "db-1"}).json is True
    assert registry.ids("db") == []


def test_our_own_node_comes_back_empty(registry: Serving) -> None:
    registry.register("before", Check=TTL)
    assert registry.put("/v1/catalog/deregister", {"Node": NODE}).json is True
    assert registry.ids("before") == []
    assert [check["CheckID"] for check in registry.get(f"/v1/health/node/{NODE}").json] == ["serfHealth"]
    assert registry.register("after").status == 200


@pytest.mark.parametrize(
    ("status", "code"), [("passing", 200), ("warning", 429), ("critical", 503)], ids=["passing", "warning", "critical"]
)
def test_health_for_load_balancers(registry: Serving, status: str, code: int) -> None:
    registry.register(f"lb-{status}", Check={**TTL, "Status": status})
    for kind in ("id", "name"):
        path = f"/v1/agent/health/service/{kind}/lb-{status}"
        assert registry.get(path).status == code
        text = registry.get(f"{path}?format=text")
        assert (text.status, text.text, text.headers["X-Consul-Reason"]) == (code, status, status)
    assert registry.get("/v1/agent/health/service/name/none", Accept="text/plain").status == 404
