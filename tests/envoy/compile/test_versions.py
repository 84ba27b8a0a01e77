"""Registered versions of one service, each a Service by selector, split by an ordinary HTTPRoute."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sampan.daemon.world import World
from sampan.documents.kinds.built_in import BUILT_IN
from sampan.documents.load import Document
from sampan.policies import discover, document_kinds
from sampan.resolve import endpoint_group
from sampan.sources.memory import Memory
from sampan.sources.source import Records

from ... import registered
from ...registered import instance

pytestmark = pytest.mark.envoy

KINDS = BUILT_IN.with_kinds(document_kinds(discover()))

GATEWAY = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: web}}
spec:
  gatewayClassName: sampan
  addresses: [{{type: IPAddress, value: 127.0.0.1}}]
  listeners: [{{name: http, port: {port}, protocol: HTTP}}]
"""

VERSION = """
apiVersion: v1
kind: Service
metadata: {{name: reviews-{version}}}
spec:
  selector: {{sampan.dev/service: reviews, version: {version}}}
  ports: [{{port: 9080}}]
"""

ROUTE = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: reviews}}
spec:
  parentRefs: [{{name: web}}]
  rules: {rules}
"""


def to(version: str, match: str = "", weight: int = 1) -> str:
    matches = f"matches: [{match}], " if match else ""
    return f"{{{matches}backendRefs: [{{name: reviews-{version}, port: 9080, weight: {weight}}}]}}"


@pytest.fixture
def reviews(start: Any, backend: Any) -> Any:
    """Starts an Envoy with these rules, and v1 and v2 registered; gives a function that asks which version answers."""
    versions = {"v1": (backend("v1a"), backend("v1b")), "v2": (backend("v2"),)}

    def begin(*rules: str) -> Any:
        running = [
            instance("reviews", port=server.endpoint.port, version=version, address="127.0.0.1")
            for version, servers in versions.items()
            for server in servers
        ]
        down = instance("reviews", "127.0.0.2", 1, "v2", state="down")
        world = World(KINDS, discover())
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        world.advance([Records("files"), *said(port, rules, *running, down)], "2026-01-01T00:00:00Z")
        assert not world.diagnostics
        (plan,) = world.resolution.plans.values()
        groups = {up.group: endpoint_group(world.snapshot, up) for up in plan.upstreams.values()}
        envoy = start(plan, list(groups.values()))
        (listener,) = envoy.ports

        def ask(**headers: str) -> str:
            answer = envoy.request("/", headers=headers, listener=listener)
            return str(answer.seen["name"]) if answer.status == 200 else str(answer.status)

        return ask

    return begin


def said(port: int, rules: tuple[str, ...], *instances: Document) -> list[Records]:
    """What a source fed by hand gives for the documents and the registered service."""

    async def emitted() -> list[Records]:
        memory = Memory(KINDS)
        versions = "---".join(VERSION.format(version=version) for version in ("v1", "v2"))
        text = "---".join((GATEWAY.format(port=port), versions, ROUTE.format(rules=f"[{', '.join(rules)}]")))
        memory.put("shop.yaml", text)
        memory.say("reviews", registered.registered("reviews", *instances))
        first: asyncio.Future[Records] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(memory.run(first.set_result))
        records = await first
        task.cancel()
        return [records]

    return asyncio.run(emitted())


def test_by_weight(reviews: Any) -> None:
    both = "{backendRefs: [{name: reviews-v1, port: 9080, weight: 3}, {name: reviews-v2, port: 9080, weight: 1}]}"
    ask = reviews(both)
    shares = Counter(ask() for _ in range(400))
    assert set(shares) == {"v1a", "v1b", "v2"}
    assert 60 < shares["v2"] < 140
    assert abs(shares["v1a"] - shares["v1b"]) < 80


def test_by_weight_of_the_registered_service_itself(reviews: Any) -> None:
    """Without a Service of a document: all instances of all versions, and none that is down."""
    ask = reviews("{backendRefs: [{name: reviews, port: 80}]}")
    assert {ask() for _ in range(60)} == {"v1a", "v1b", "v2"}
    ask = reviews("{backendRefs: [{name: reviews@consul, port: 80}]}")
    assert {ask() for _ in range(60)} == {"v1a", "v1b", "v2"}


def test_by_header(reviews: Any) -> None:
    ask = reviews(to("v2", "{headers: [{name: end-user, value: jason}]}"), to("v1"))
    assert {ask(**{"end-user": "jason"}) for _ in range(10)} == {"v2"}
    assert {ask(**{"end-user": "jasonx"}) for _ in range(10)} == {"v1a", "v1b"}
    assert {ask() for _ in range(10)} == {"v1a", "v1b"}


PAGE = (Path(__file__).parents[3] / "docs" / "services.md").read_text()
COOKIE = "{headers: [{name: cookie, type: RegularExpression, value: '(.*; *)?beta=yes(;.*)?'}]}"
"""As the page has it."""

COOKIES: Mapping[str, bool] = {
    "beta=yes": True,
    "a=1; beta=yes": True,
    "beta=yes; a=1": True,
    "a=1; beta=yes; b=2": True,
    "a=1;beta=yes;b=2": True,
    "beta=yesterday": False,
    "alphabeta=yes": False,
    "a=beta=yes": False,
    "beta=no; a=1": False,
    "a=1": False,
}


def test_by_cookie(reviews: Any) -> None:
    assert COOKIE in PAGE
    ask = reviews(to("v2", COOKIE), to("v1"))
    for cookie, taken in COOKIES.items():
        assert (ask(cookie=cookie) == "v2") is taken, cookie
    assert ask() != "v2"
