"""Scripts by chance: what one call leaves behind, others see. A seed that fails fails again."""

from __future__ import annotations

import base64
from random import Random
from typing import Any

import pytest

from ..consul_binary import NODE
from .both import Both

pytestmark = pytest.mark.consul

SEEDS = range(8)
STEPS = 80
KEYS = ("k", "k/a", "k/b", "k/b/c", "l")
NODES = ("one", "two")
SERVICES = ("web", "db")
STATUSES = ("passing", "warning", "critical")
READS = (
    *("/v1/kv/?recurse", "/v1/kv/k?recurse", "/v1/kv/k/?keys", "/v1/kv/?keys&separator=/", "/v1/session/list"),
    *("/v1/catalog/services", "/v1/catalog/nodes", "/v1/health/state/any", "/v1/health/state/critical"),
    *(f"/v1/{path}/{name}" for path in ("catalog/service", "health/service", "health/checks") for name in SERVICES),
    *(f"/v1/health/service/{name}?passing" for name in SERVICES),
    *(f"/v1/{path}/{name}" for path in ("catalog/node", "health/node", "session/node") for name in (*NODES, NODE)),
    *("/v1/agent/services", "/v1/agent/checks"),
)


class Script:
    def __init__(self, both: Both, seed: int) -> None:
        self._both = both
        self._chance = Random(seed)
        self._sessions = 0

    def step(self) -> None:
        chosen = self._chance.choices(
            (self._key, self._session, self._transaction, self._register, self._deregister, self._agent, self._report),
            (6, 3, 2, 4, 2, 2, 2),
        )
        chosen[0]()
        for path in self._chance.sample(READS, 3):
            self._both.call("GET", path, None)

    def _call(self, method: str, path: str, **options: Any) -> Any:
        return self._both.call(method, path, None, **options)

    def _key(self) -> None:
        key, value = self._chance.choice(KEYS), self._chance.choice((b"", b"x", b"y"))
        match self._chance.randrange(7):
            case 0 | 1:
                self._call("PUT", f"/v1/kv/{key}?flags={self._chance.randrange(2)}", content=value)
            case 2:
                self._compare_and_set(key, value)
            case 3:
                self._call("DELETE", f"/v1/kv/{key}{self._chance.choice(('', '?recurse'))}")
            case 4 | 5:
                self._call("PUT", f"/v1/kv/{key}?acquire={self._held()}", content=value)
            case _:
                self._call("PUT", f"/v1/kv/{key}?release={self._held()}", content=value)

    def _compare_and_set(self, key: str, value: bytes) -> None:
        answers = self._call("GET", f"/v1/kv/{key}")
        for server, answer in zip(self._both.servers, answers, strict=True):
            server.names["index"] = str(answer.json()[0]["ModifyIndex"] if answer.is_success else 0)
        if self._chance.random() < 0.5:
            self._call("PUT", f"/v1/kv/{key}?cas={{index}}", content=value)
        else:
            self._call("DELETE", f"/v1/kv/{key}?cas={{index}}")

    def _held(self) -> str:
        return f"{{s{self._chance.randrange(max(self._sessions, 1))}}}"

    def _session(self) -> None:
        if self._sessions and self._chance.random() < 0.5:
            verb = self._chance.choice(("destroy", "renew"))
            self._call("PUT", f"/v1/session/{verb}/{self._held()}")
            return
        body: dict[str, Any] = {"LockDelay": "0s", "Behavior": self._chance.choice(("release", "delete"))}
        if self._chance.random() < 0.5:
            body |= {"Node": self._chance.choice(NODES), "NodeChecks": self._chance.choice(([], ["web"]))}
        answers = self._call("PUT", "/v1/session/create", json=body)
        if answers[0].is_success:
            self._both.keep(f"s{self._sessions}", answers, "ID")
            self._sessions += 1

    def _transaction(self) -> None:
        verbs = (
            "set",
            "get",
            "get-tree",
            "delete",
            "delete-tree",
            "check-not-exists",
            "lock",
            "unlock",
            "check-session",
        )
        operations = []
        for _ in range(self._chance.randrange(1, 4)):
            verb = self._chance.choice(verbs)
            operation = {"Verb": verb, "Key": self._chance.choice(KEYS), "Value": base64.b64encode(b"t").decode()}
            if verb in ("lock", "unlock", "check-session"):
                operation["Session"] = self._held()
            operations.append({"KV": operation})
        self._call("PUT", "/v1/txn", json=operations)

    def _register(self) -> None:
        name, node = self._chance.choice(SERVICES), self._chance.choice(NODES)
        body: dict[str, Any] = {"Node": node, "Address": self._chance.choice(("10.0.0.1", "10.0.0.2"))}
        if self._chance.random() < 0.7:
            tags = self._chance.choice(([], ["a"], ["b", "a"]))
            body["Service"] = {"ID": f"{name}-1", "Service": name, "Port": self._chance.randrange(2), "Tags": tags}
        if self._chance.random() < 0.7:
            of = self._chance.choice(({}, {"ServiceID": f"{name}-1"}))
            check = {"Node": node, "CheckID": name, "Name": name, "Status": self._chance.choice(STATUSES)}
            body["Check"] = check | of
        # A refused one leaves its node in a real Consul: the node first, then.
        self._call("PUT", "/v1/catalog/register", json={"Node": node, "Address": body["Address"]})
        self._call("PUT", "/v1/catalog/register", json=body)

    def _deregister(self) -> None:
        name, body = self._chance.choice(SERVICES), {"Node": self._chance.choice(NODES)}
        what = self._chance.choice(({}, {"ServiceID": f"{name}-1"}, {"CheckID": name}))
        self._call("PUT", "/v1/catalog/deregister", json=body | what)

    def _agent(self) -> None:
        name = self._chance.choice(SERVICES)
        if self._chance.random() < 0.3:
            self._call("PUT", f"/v1/agent/service/deregister/{name}-2")
            return
        check = {"TTL": "10m", "Status": self._chance.choice(STATUSES)}
        body = {"ID": f"{name}-2", "Name": name, "Port": self._chance.randrange(2), "Check": check}
        self._call("PUT", "/v1/agent/service/register", json=body)

    def _report(self) -> None:
        name, verb = self._chance.choice(SERVICES), self._chance.choice(("pass", "warn", "fail"))
        self._call("PUT", f"/v1/agent/check/{verb}/service:{name}-2?note={self._chance.choice('xy')}")


@pytest.mark.parametrize("seed", SEEDS)
def test_script(both: Both, seed: int) -> None:
    script = Script(both, seed)
    for _ in range(STEPS):
        script.step()
