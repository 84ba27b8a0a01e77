"""Registered instances come, go and fall ill under load: by the short road, and without a failed request."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from test_under_load import asked, failed
from xds_harness import Envoy, backend, until

from sampan.compile.settings import Settings
from sampan.daemon.publisher import Publisher
from sampan.daemon.world import World
from sampan.documents.kinds.built_in import BUILT_IN
from sampan.documents.load import Document, Loaded, load
from sampan.policies import discover, document_kinds
from sampan.sources.source import Records
from sampan.xds.control import Control
from sampan.xds.server import serving

from ... import registered

pytestmark = pytest.mark.envoy

NOW = "2026-01-01T00:00:00Z"
DOCUMENTS = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: web}}
spec:
  gatewayClassName: sampan
  addresses: [{{type: IPAddress, value: 127.0.0.1}}]
  listeners: [{{name: http, port: {port}, protocol: HTTP}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: shop}}
spec:
  parentRefs: [{{name: web}}]
  rules: [{{backendRefs: [{{name: shop, port: 80}}]}}]
"""

SERVICES = registered.services("shop")


def instance(port: int, state: str = "ready") -> Document:
    return registered.instance("shop", "127.0.0.1", port, state=state)


class Plane:
    """A control plane in this process: what is said of `shop` goes to the proxy."""

    def __init__(self, control: Control, port: int) -> None:
        kinds = BUILT_IN.with_kinds(document_kinds(discover()))
        self.control = control
        self.world = World(kinds, discover())
        self.publisher = Publisher(control, discover(), Settings(), self.never, lambda: None, lambda: NOW)
        text = DOCUMENTS.format(port=port)
        files = Records("files", {"shop.yaml": load(text, "shop.yaml", kinds)}, whole=True)
        self.world.advance([files, self.said()], NOW)
        for view, plan in self.world.resolution.plans.items():
            self.publisher.publish(view, plan, self.world.snapshot)

    async def never(self, _: bytes) -> str | None:
        raise AssertionError("something was refused")

    @staticmethod
    def said(*instances: Document) -> Records:
        return Records("consul", {"/shop": Loaded((*SERVICES, *instances))})

    def say(self, *instances: Document) -> None:
        """As the pipeline does for a step that needs no resolving."""
        step = self.world.advance([self.said(*instances)], NOW)
        assert not step.resolved
        self.publisher.publish_endpoints(self.world.snapshot, step.groups)

    async def confirmed(self) -> bool:
        return all(node.in_step for node in self.control.nodes())


@contextlib.asynccontextmanager
async def plane(folder: Path) -> AsyncIterator[tuple[Plane, Envoy]]:
    control, envoy = Control(linger=0.1), Envoy(folder)
    async with serving(control, folder / "xds.sock"):
        made = Plane(control, envoy.port)
        await envoy.start("default/web")
        try:
            yield made, envoy
        finally:
            await envoy.kill()


def test_instances_flap_under_load_without_a_failed_request(folder: Path) -> None:
    async def scenario() -> tuple[Counter[str], int]:
        play = random.Random(4)
        async with contextlib.AsyncExitStack() as stack:
            ports = [await stack.enter_async_context(backend("shop", delay=0.002)) for _ in range(4)]
            made, envoy = await stack.enter_async_context(plane(folder))
            made.say(instance(ports[0]))
            await envoy.serves(b"shop")
            async with asked(envoy.port) as seen:
                for _ in range(150):
                    # One is always there; the others are ready, down or gone.
                    others = [
                        instance(port, play.choice(["ready", "down"])) for port in ports[1:] if play.random() < 0.7
                    ]
                    made.say(instance(ports[0]), *others)
                    await asyncio.sleep(0.005)  # the pace of the changes, a hundred and more a second
            return seen, await envoy.stat("listener_manager.lds.update_success")

    seen, listeners = asyncio.run(scenario())
    assert not failed(seen)
    assert seen["ok"] > 100
    assert listeners == 1


async def ask(port: int) -> bytes:
    """The status, or who answered. Envoy closes a connection on which it answered by itself a second later."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        body = await reader.readexactly(int(fields[b"content-length"]))
    finally:
        writer.close()
    status = head.split()[1]
    return body if status == b"200" else status


def test_the_first_and_the_last_instance(folder: Path) -> None:
    """From none to one, from one to another, to none when its check fails, and back."""

    async def scenario() -> None:
        async with contextlib.AsyncExitStack() as stack:
            one = await stack.enter_async_context(backend("one"))
            two = await stack.enter_async_context(backend("two"))
            made, envoy = await stack.enter_async_context(plane(folder))

            async def answers(wanted: bytes) -> None:
                async def right() -> bool:
                    return await ask(envoy.port) == wanted

                await until(right, wanted.decode())

            await answers(b"503")
            made.say(instance(one))
            await answers(b"one")
            made.say(instance(one, "down"), instance(two))
            await answers(b"two")
            made.say(instance(one, "down"), instance(two, "down"))
            await answers(b"503")
            made.say(instance(two))
            await answers(b"two")

    asyncio.run(scenario())
