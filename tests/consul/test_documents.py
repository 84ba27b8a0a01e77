"""`sampan apply`, `diff`, `delete` and `get --consul` against a real Consul and the embedded registry."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from sampan.cli.main import app
from sampan.cli.stored import write as writing
from sampan.consul.client import Client
from sampan.consul.transaction import Operation

from ..consul_binary import Agent
from .either import agent

__all__ = ["agent"]

Run = Callable[..., Result]

GATEWAY = """\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: shop}
spec:
  gatewayClassName: sampan
  listeners: [{name: web, protocol: HTTP, port: 8080}]
"""
ROUTE = """\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: cart}
spec:
  parentRefs: [{name: shop}]
"""
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: cart}\nspec: {ports: [{port: 80}]}\n"
GATEWAY_KEY = "sampan/documents/default/gateway.gateway.networking.k8s.io/shop"
SERVICE_KEY = "sampan/documents/default/service/cart"


@pytest.fixture
def consul(agent: Agent) -> Iterator[httpx.Client]:
    """Its KV, empty before and after."""
    with httpx.Client(base_url=f"{agent.url}/v1/kv", trust_env=False) as client:
        yield client
        client.delete("/sampan/", params={"recurse": "true"})


@pytest.fixture
def sampan(consul: httpx.Client, agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """In a folder of its own, with the Consul in CONSUL_HTTP_ADDR."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, typed: str | None = None, **environment: str) -> Result:
        known = {"CONSUL_HTTP_ADDR": agent.http, "SAMPAN_STATE": str(tmp_path / "state"), "TERM": "dumb"}
        return CliRunner().invoke(app, list(arguments), input=typed, env={**known, **environment})

    return run


def _value(consul: httpx.Client, key: str) -> str:
    return consul.get(f"/{key}", params={"raw": ""}).text


def _keys(consul: httpx.Client) -> list[str]:
    answer = consul.get("/sampan/documents/", params={"keys": ""})
    return list(answer.json()) if answer.is_success else []


# ---- apply


def test_apply_reports_each_object(sampan: Run, consul: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(f"{GATEWAY}---\n{SERVICE}")
    done = sampan("apply", "-f", "shop.yaml")
    assert (done.exit_code, done.stdout) == (0, "gateway/shop created\nservice/cart created\n")
    assert "$CONSUL_HTTP_ADDR" in done.stderr
    assert _keys(consul) == [GATEWAY_KEY, SERVICE_KEY]
    (tmp_path / "shop.yaml").write_text(f"{GATEWAY.replace('8080', '8081')}---\n{SERVICE}")
    done = sampan("apply", "-f", "shop.yaml")
    assert done.stdout == "gateway/shop configured\nservice/cart unchanged\n"
    assert "port: 8081" in _value(consul, GATEWAY_KEY)


def test_folders_are_read_as_kubectl_reads_them(sampan: Run, consul: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / "docs" / "more").mkdir(parents=True)
    (tmp_path / "docs" / "a.yaml").write_text(GATEWAY)
    (tmp_path / "docs" / "more" / "b.json").write_text(
        '{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "cart"}, "spec": {"ports": [{"port": 80}]}}'
    )
    assert sampan("apply", "-f", "docs").stdout == "gateway/shop created\n"
    assert sampan("apply", "-f", "docs", "-R").stdout == "gateway/shop unchanged\nservice/cart created\n"
    assert sampan("apply", "-f", "-", typed=ROUTE).stdout == "httproute/cart created\n"
    assert len(_keys(consul)) == 3


def test_all_mistakes_at_once_and_nothing_is_stored(sampan: Run, consul: httpx.Client, tmp_path: Path) -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2}\n"
    (tmp_path / "bad.yaml").write_text(
        f"{GATEWAY}---\n{ROUTE}  nothing: 1\n---\n{SERVICE}---\n{SERVICE}---\n{secret}---\na: [\n"
    )
    done = sampan("apply", "-f", "bad.yaml")
    assert done.exit_code == 1
    for code in ("SMP0103", "SMP0104", "SMP0201", "SMP0218"):
        assert code in done.stderr
    assert "bad.yaml:13:3: error[SMP0103]" in done.stderr
    assert "4 errors; nothing was stored" in done.stderr
    assert "hunter2" not in done.output
    assert _keys(consul) == []
    found = json.loads(sampan("apply", "-f", "bad.yaml", "-o", "json").stdout)
    assert found["items"] == []
    assert len(found["diagnostics"]) == 4


def test_a_dry_run_stores_nothing(sampan: Run, consul: httpx.Client) -> None:
    assert sampan("apply", "--dry-run", "-f", "-", typed=GATEWAY).stdout == "gateway/shop created (dry run)\n"
    assert _keys(consul) == []
    sampan("apply", "-f", "-", typed=GATEWAY)
    assert sampan("delete", "gtw", "shop", "--dry-run").stdout == "gateway/shop deleted (dry run)\n"
    assert _keys(consul) == [GATEWAY_KEY]


def test_a_secret_is_stored_only_when_asked_for(sampan: Run, consul: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_text("PEM")
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s, annotations: {files.sampan.dev/tls.crt: a.pem}}\n"
    (tmp_path / "secret.yaml").write_text(secret)
    assert sampan("apply", "-f", "secret.yaml").exit_code == 1
    done = sampan("apply", "-f", "secret.yaml", "--secrets")
    assert done.stdout == "secret/s created\n"
    assert "who may read the KV can read what these hold: secret/s" in done.stderr
    stored = _value(consul, "sampan/documents/default/secret/s")
    assert "tls.crt: UEVN" in stored
    assert "a.pem" not in stored
    (tmp_path / "a.pem").write_text("OTHER")
    shown = sampan("diff", "-f", "secret.yaml")
    assert shown.exit_code == 1
    assert "*** (after)" in shown.stdout
    assert "UEVN" not in shown.stdout


def test_the_limits_of_a_key_and_of_a_transaction(sampan: Run, consul: httpx.Client, tmp_path: Path) -> None:
    def config_map(name: str, size: int) -> str:
        return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{x: {'y' * size}}}\n"

    (tmp_path / "a.yaml").write_text("---\n".join([config_map("a", 500_000), config_map("b", 300_000), SERVICE]))
    assert sampan("apply", "-f", "a.yaml").stdout.count("created") == 3
    assert len(_value(consul, "sampan/documents/default/configmap/a")) > 500_000
    done = sampan("apply", "-f", "-", typed=f"{config_map('c', 525_000)}---\n{SERVICE}")
    assert done.exit_code == 1
    assert "SMP0102" in done.stderr
    assert "at most 524288 (512 KiB)" in done.stderr


def test_many_documents_go_in_few_transactions(sampan: Run, consul: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / "many.yaml").write_text("---\n".join(SERVICE.replace("cart", f"cart-{n}") for n in range(150)))
    assert sampan("apply", "-f", "many.yaml").stdout.count(" created\n") == 150
    entries = consul.get("/sampan/documents/", params={"recurse": ""}).json()
    assert len({entry["ModifyIndex"] for entry in entries}) == 3, "64, 64 and 22 at once"
    assert sampan("apply", "-f", "many.yaml").stdout.count(" unchanged\n") == 150


# ---- two people


def test_what_somebody_else_writes_meanwhile_is_not_lost(
    sampan: Run, consul: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampan("apply", "-f", "-", typed=f"{GATEWAY}---\n{SERVICE}")
    theirs = SERVICE.replace("80", "99")
    real = writing._write

    async def after_theirs(client: Client, batch: list[Operation]) -> tuple[str, ...]:
        """Between our reading and our writing."""
        consul.put(f"/{SERVICE_KEY}", content=theirs)
        return await real(client, batch)

    with monkeypatch.context() as patched:
        patched.setattr(writing, "_write", after_theirs)
        typed = f"{GATEWAY.replace('8080', '8081')}---\n{SERVICE.replace('80', '81')}"
        done = sampan("apply", "-f", "-", typed=typed)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "somebody else changed this in the meantime: service/cart; nothing was written" in done.stderr
    assert _value(consul, SERVICE_KEY) == theirs
    assert "port: 8080" in _value(consul, GATEWAY_KEY), "the other document of the transaction"


def test_get_edit_apply_against_another_edit(sampan: Run, agent: Agent) -> None:
    sampan("apply", "-f", "-", typed=SERVICE)
    mine = sampan("get", "svc", "cart", "-o", "yaml", "--consul", agent.http).stdout
    assert "resourceVersion" in mine
    sampan("apply", "-f", "-", typed=SERVICE.replace("80", "81"))
    done = sampan("apply", "-f", "-", typed=mine.replace("80", "82"))
    assert done.exit_code == 1
    assert "SMP0219" in done.stderr
    mine = sampan("get", "svc", "cart", "-o", "yaml", "--consul", agent.http).stdout
    assert sampan("apply", "-f", "-", typed=mine.replace("81", "82")).stdout == "service/cart configured\n"


def test_a_conflict_in_the_second_transaction_says_how_far_it_came(
    sampan: Run, consul: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = writing._write
    written: list[int] = []

    async def others_first(client: Client, batch: list[Operation]) -> tuple[str, ...]:
        if written:
            consul.put(f"/{batch[-1].key}", content="theirs")
        written.append(len(batch))
        return await real(client, batch)

    with monkeypatch.context() as patched:
        patched.setattr(writing, "_write", others_first)
        done = sampan("apply", "-f", "-", typed="---\n".join(SERVICE.replace("cart", f"cart-{n}") for n in range(100)))
    assert done.exit_code == 1
    assert done.stdout.count(" created\n") == 64
    assert "64 of 100 documents were written" in done.stderr
    assert len(_keys(consul)) == 65


# ---- delete, diff, get


def test_delete_by_name_and_by_file(sampan: Run, consul: httpx.Client) -> None:
    sampan("apply", "-f", "-", typed=f"{GATEWAY}---\n{SERVICE}---\n{ROUTE}")
    assert sampan("delete", "service", "cart").stdout == "service/cart deleted\n"
    gone = sampan("delete", "svc/cart")
    assert gone.exit_code == 1
    assert "not there in namespace default: service/cart" in gone.stderr
    assert sampan("delete", "svc", "cart", "--ignore-not-found").exit_code == 0
    done = sampan("delete", "-f", "-", typed=f"{GATEWAY}---\n{ROUTE}", **{"SAMPAN_CONSUL_ADDR": ""})
    assert done.stdout == "gateway/shop deleted\nhttproute/cart deleted\n"
    assert _keys(consul) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["delete"], "what is to be deleted?"),
        (["delete", "svc"], "a name is missing"),
        (["delete", "svc", "a", "-f", "-"], "what is to be deleted?"),
        (["apply"], "there are no documents"),
        (["apply", "-f", "nowhere"], "nowhere"),
        (["delete", "nothing", "a"], "there is no kind 'nothing'"),
    ],
)
def test_wrong_usage(sampan: Run, arguments: list[str], said: str) -> None:
    done = sampan(*arguments)
    assert done.exit_code in (1, 2)
    assert said in done.stderr.lower()


def test_diff_exits_as_diff_does(sampan: Run, consul: httpx.Client) -> None:
    assert sampan("diff", "-f", "-", typed=GATEWAY).exit_code == 1
    assert _keys(consul) == []
    sampan("apply", "-f", "-", typed=GATEWAY)
    same = sampan("diff", "-f", "-", typed=GATEWAY)
    assert (same.exit_code, same.stdout) == (0, "")
    other = sampan("diff", "-f", "-", typed=GATEWAY.replace("8080", "8081"))
    assert other.exit_code == 1
    assert f"--- {GATEWAY_KEY}\n+++ stdin:1:1\n" in other.stdout
    assert sampan("diff", "-f", "-", typed="a: [").exit_code == 2
    assert sampan("diff", "-f", "-", "--consul", "127.0.0.1:1", typed=GATEWAY).exit_code == 2


def test_get_without_a_running_sampan(sampan: Run, consul: httpx.Client, agent: Agent) -> None:
    sampan("apply", "-f", "-", typed=f"{GATEWAY}---\n{SERVICE}")
    consul.put("/sampan/documents/default/service/broken", content="a: [")
    status = {"status": {"conditions": [{"type": "Programmed", "status": "True", "reason": "Programmed"}]}}
    consul.put(f"/{GATEWAY_KEY.replace('documents', 'status')}", content=json.dumps(status))
    consul.put(f"/{SERVICE_KEY.replace('documents', 'status')}", content="no JSON")
    shown = sampan("get", "gtw", "--consul", agent.url).stdout.splitlines()
    assert shown[0].split()[:4] == ["NAME", "CLASS", "ADDRESS", "PROGRAMMED"]
    assert shown[1].split()[:4] == ["shop", "sampan", "<none>", "True"]
    assert "service/cart" in sampan("get", "all", "-A", "-o", "name", "--consul", agent.url).stdout
    mistakes = sampan("get", "diagnostics", "--consul", agent.url).stdout
    assert "sampan/documents/default/service/broken:2:1: error[SMP0104]" in mistakes


# ---- which Consul


def test_the_registry_of_the_running_sampan_comes_first(sampan: Run, agent: Agent, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    announcement = {"http": agent.http, "dns": "", "datacenter": "dc1", "pid": agent.pid}
    (tmp_path / "state" / "registry.json").write_text(json.dumps(announcement))
    done = sampan("apply", "-f", "-", typed=SERVICE, CONSUL_HTTP_ADDR="127.0.0.1:1")
    assert done.exit_code == 0
    assert f"Consul: {agent.url} (the registry of the Sampan at {tmp_path / 'state'})" in done.stderr
    done = sampan("apply", "-f", "-", "--consul", "127.0.0.1:1", typed=SERVICE)
    assert done.exit_code == 1
    assert "no answer from http://127.0.0.1:1" in done.stderr
    assert "sampan up" in done.stderr


def test_the_answers_of_something_else_are_explained(sampan: Run) -> None:
    done = sampan("apply", "-f", "-", "--consul", "ftp://x", typed=SERVICE)
    assert done.exit_code == 2
    assert "error:" in done.stderr


def test_json_says_it_all(sampan: Run, agent: Agent) -> None:
    found: dict[str, Any] = json.loads(sampan("apply", "-f", "-", "-o", "json", typed=SERVICE).stdout)
    assert found == {
        "consul": agent.url,
        "items": [
            {
                "object": "service/cart",
                "kind": "Service",
                "namespace": "default",
                "name": "cart",
                "what": "created",
                "dryRun": False,
                "key": SERVICE_KEY,
                "from": "stdin:1:1",
            }
        ],
        "diagnostics": [],
    }
