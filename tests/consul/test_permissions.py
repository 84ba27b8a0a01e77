"""What tokens permit: a real Consul with ACLs."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sampan.consul.client import Client
from sampan.consul.target import Target
from sampan.documents.kinds.built_in import BUILT_IN
from sampan.sources.consul.documents import ConsulDocuments
from sampan.sources.source import Records

from ..consul_binary import Agent, running
from ..daemon.conftest import Echo, Sampan, backend, gateway, one, route, until

__all__ = ["one"]
pytestmark = pytest.mark.consul

READER = "5f2b1a52-0d2c-4c0e-9c1c-6f5c1f6f2a12"
MAY_READ = 'key_prefix "sampan/documents/" { policy = "read" }'
MAY_NOT = 'key_prefix "sampan/" { policy = "deny" }'
# Without a policy that denies, the default one of this Consul allows.
ONLY_READ = 'key_prefix "" { policy = "deny" } session_prefix "" { policy = "deny" }' + MAY_READ
KEY = "sampan/documents/_cluster/namespace/shop"
TEXT = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"


class Guarded:
    """A Consul with a token whose policy can be changed."""

    def __init__(self, agent: Agent, root: httpx.Client) -> None:
        self.agent, self._root = agent, root
        self._policy = self._put("/acl/policy", {"Name": "reader", "Rules": ONLY_READ})["ID"]
        self._put("/acl/token", {"SecretID": READER, "Policies": [{"Name": "reader"}]})

    def _put(self, path: str, body: object) -> dict[str, str]:
        answer = self._root.put(path, json=body)
        assert answer.is_success, answer.text
        found: dict[str, str] = answer.json()
        return found

    def allow(self, rules: str) -> None:
        self._put(f"/acl/policy/{self._policy}", {"ID": self._policy, "Name": "reader", "Rules": rules})

    def put(self, key: str, text: str) -> None:
        assert self._root.put(f"/kv/{key}", content=text).is_success


@pytest.fixture
def guarded() -> Iterator[Guarded]:
    with running(acl={"enabled": True, "default_policy": "allow", "tokens": {"master": "root"}}) as agent:
        headers = {"X-Consul-Token": "root"}
        with httpx.Client(base_url=f"{agent.url}/v1", headers=headers, trust_env=False) as root:
            yield Guarded(agent, root)


def test_a_token_that_loses_its_right_loses_no_document(guarded: Guarded) -> None:
    guarded.put(KEY, TEXT)

    async def main() -> None:
        told: asyncio.Queue[Records] = asyncio.Queue()
        async with Client(Target(guarded.agent.url, token=READER)) as client:
            source = ConsulDocuments(client, BUILT_IN, doubt=0.05)
            task = asyncio.create_task(source.run(told.put_nowait))
            try:
                async with asyncio.timeout(20):
                    first = await told.get()
                    assert set(first.changed) == {KEY}
                    guarded.allow(MAY_NOT)
                    # A query that is under way has the rights with which it began; the next one is left without.
                    guarded.put(KEY, TEXT + "# again\n")
                    held = await told.get()
                    if held.health.ok:
                        guarded.put(KEY, TEXT + "# and again\n")
                        held = await told.get()
                    assert (held.removed, held.whole, held.health.ok) == (frozenset(), False, False)
                    assert "Permission denied" in held.health.diagnostics[0].reason
                    guarded.allow(ONLY_READ)
                    back = await told.get()
                    assert (back.health.ok, set(back.changed)) == (True, {KEY})
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


@pytest.mark.envoy
def test_a_token_that_may_only_read_serves_and_says_so(guarded: Guarded, one: Echo) -> None:
    with tempfile.TemporaryDirectory(prefix="sampan-", ignore_cleanup_errors=True) as name:
        plane = Sampan(Path(name))
        plane._environment["CONSUL_HTTP_TOKEN"] = READER
        plane.start_with("--consul", guarded.agent.url)
        try:
            documents = {
                "gateway": gateway(plane.port),
                "backend": backend("one", one.port),
                "route": route("a", {"one": 1}),
            }
            keys = {
                "gateway": "gateway.gateway.networking.k8s.io/shop",
                "backend": "backend.sampan.dev/one",
                "route": "httproute.gateway.networking.k8s.io/a",
            }
            for kind, text in documents.items():
                guarded.put(f"sampan/documents/default/{keys[kind]}", text)
            plane.until_answer("one")
            until(lambda: "the status of documents is not written back to Consul" in plane.log, lambda: plane.log)
            assert "Permission denied" in plane.log
            assert READER not in plane.log
        finally:
            plane.stop()
