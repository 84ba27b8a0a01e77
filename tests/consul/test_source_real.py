"""The source over a real Consul: what comes, goes and changes, and the outages in between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest

from sampan.consul.client import Client
from sampan.consul.target import Target
from sampan.consul.wire import path
from sampan.model.names import CORE
from sampan.sources.consul.reading import Options
from sampan.sources.consul.watch import Consul

from ..consul_binary import Agent, consul_agent, running
from .collector import NOW, Said, reading, run

__all__ = ["consul_agent"]

pytestmark = pytest.mark.consul


class Registrar:
    """Registers as any client does, over the agent's HTTP interface."""

    def __init__(self, agent: Agent) -> None:
        self.url = agent.url

    async def put(self, path: str, body: Any = None) -> None:
        async with httpx.AsyncClient(trust_env=False, verify=False) as http:
            (await http.put(f"{self.url}/v1/{path}", json=body)).raise_for_status()

    async def register(self, name: str, port: int = 8080, check: bool = False, **more: Any) -> None:
        body: dict[str, Any] = {"Name": name, "ID": f"{name}-{port}", "Port": port, "Address": "10.0.0.1", **more}
        if check:
            body["Check"] = {"CheckID": f"check-{name}-{port}", "TTL": "10m", "Status": "passing"}
        await self.put("agent/service/register", body)

    async def check(self, name: str, status: str, port: int = 8080) -> None:
        await self.put(f"agent/check/{status}/check-{name}-{port}")

    async def deregister(self, name: str, port: int = 8080) -> None:
        await self.put(f"agent/service/deregister/{name}-{port}")


@contextmanager
def fresh(**settings: Any) -> Iterator[tuple[Agent, Registrar]]:
    with running(**settings) as agent:
        yield agent, Registrar(agent)


def source(agent: Agent, **more: Any) -> Consul:
    return Consul(Target(agent.url), lambda: NOW, **more)


def test_a_service_comes_changes_and_goes(consul_agent: Agent) -> None:
    async def main() -> None:
        registrar = Registrar(consul_agent)
        await registrar.register("early", meta={"version": "1"})
        async with reading(source(consul_agent)) as said:
            assert said.records[0].whole
            assert set(said.keys) == {"/early"}
            assert said.health.ok
            assert [item.ref.name for item in said.keys["/early"].objects] == [
                "early",
                "early@consul",
                "early@laptop/early-8080",
            ]
            assert said.keys["/early"].objects[2].meta.labels["sampan.dev/datacenter"] == "dc1"

            await registrar.register("late", check=True)
            await said.until(lambda: said.states("/late"))
            services = said.keys["/late"].objects[:2]
            await registrar.check("late", "fail")
            await said.until(lambda: said.states("/late") == {"late-8080": "down"})
            await registrar.check("late", "warn")
            await said.until(lambda: said.states("/late") == {"late-8080": "ready"})
            await registrar.put("agent/service/maintenance/late-8080?enable=true")
            await said.until(lambda: said.states("/late") == {"late-8080": "down"})
            await registrar.put("agent/service/maintenance/late-8080?enable=false")
            await registrar.register("late", 9090)
            await said.until(lambda: set(said.states("/late").values()) == {"ready"} and len(said.states("/late")) == 2)
            assert all(a is b for a, b in zip(said.keys["/late"].objects[:2], services, strict=True))

            seen = len(said.records)
            await registrar.deregister("late")
            await registrar.deregister("late", 9090)
            await said.until(lambda: "/late" not in said.keys)
            assert all(set(records.changed) <= {"/late"} for records in said.records[seen:])

    run(main())


def test_a_change_of_one_service_is_its_own(consul_agent: Agent) -> None:
    async def main() -> None:
        registrar = Registrar(consul_agent)
        for number in range(20):
            await registrar.register(f"own-{number}", check=True)
        await registrar.register("own-0", 9090)
        async with reading(source(consul_agent)) as said:
            before = {item.ref: item for loaded in said.keys.values() for item in loaded.objects}
            seen = len(said.records)
            await registrar.check("own-0", "fail")
            await said.until(lambda: said.states("/own-0").get("own-0-8080") == "down")
            assert {key for records in said.records[seen:] for key in records.changed} == {"/own-0"}
            after = {item.ref: item for loaded in said.keys.values() for item in loaded.objects}
            changed = [ref.name for ref, item in after.items() if before[ref] is not item]
            assert changed == ["own-0@laptop/own-0-8080"]

    run(main())


def crowd(said: Said, number: int) -> bool:
    return len([key for key in said.keys if key.startswith("/crowd-")]) == number


def test_more_services_than_connections() -> None:
    """60 services, and a Consul that takes 40 connections: half for us, the others are left to other programs."""

    async def main(agent: Agent, registrar: Registrar) -> None:
        for number in range(60):
            await registrar.register(f"crowd-{number:02}", check=True)
        await registrar.register("crowd-07", 9090)
        chosen = source(agent)
        chosen.use({"crowd-59@consul"})
        async with reading(chosen) as said:
            await said.until(lambda: crowd(said, 60))
            assert said.health.ok
            followed = chosen.followed()
            assert "/crowd-59" in followed
            assert len(followed) == 20 - 11 - 4
            cold = next(f"crowd-{number:02}" for number in range(60) if f"/crowd-{number:02}" not in followed)

            # Health of a service that is not followed is told at once, by the list of critical checks.
            await registrar.check(cold, "fail")
            await said.until(lambda: said.states(f"/{cold}")[f"{cold}-8080"] == "down")
            await registrar.check(cold, "pass")
            await said.until(lambda: said.states(f"/{cold}")[f"{cold}-8080"] == "ready")
            # A registration is found by the round that follows, and what changed is followed from then on.
            await registrar.register(cold, 9191)
            await said.until(lambda: len(said.states(f"/{cold}")) == 2)
            await until(lambda: f"/{cold}" in chosen.followed())
            assert "/crowd-59" in chosen.followed()
            assert len(chosen.followed()) == len(followed)
            # The node's own checks are those of every service on it.
            await registrar.put("agent/maintenance?enable=true&reason=test")
            await said.until(lambda: all("ready" not in said.states(key).values() for key in said.keys))
            await registrar.put("agent/maintenance?enable=false")
            await said.until(lambda: all("down" not in said.states(key).values() for key in said.keys))
            await registrar.deregister("crowd-30")
            await said.until(lambda: crowd(said, 59))
            assert said.health.ok, said.diagnostics

    with fresh(connections=40) as (agent, registrar):
        run(main(agent, registrar))


def test_queries_that_were_given_up_leave_room() -> None:
    """A Consul does not hear that we gave a query up: if each change of another service let one go, its 40 connections
    would soon be taken by none of ours, and it would refuse all others."""

    async def main(agent: Agent, registrar: Registrar) -> None:
        for number in range(60):
            await registrar.register(f"crowd-{number:02}")
        async with reading(source(agent)) as said:
            await said.until(lambda: crowd(said, 60))
            for begin in range(0, 60, 10):
                names = [f"crowd-{number:02}" for number in range(begin, begin + 10)]
                for name in names:
                    await registrar.register(name, 9090)
                await said.until(lambda names=names: all(len(said.states(f"/{name}")) == 2 for name in names))
            assert said.health.ok, said.diagnostics

    with fresh(connections=40) as (agent, registrar):
        run(main(agent, registrar))


async def until(condition: Any) -> None:
    while not condition():
        await asyncio.sleep(0.01)


def test_an_outage_keeps_what_was_there_and_says_so() -> None:
    async def main(stack: ExitStack) -> None:
        agent, registrar = stack.enter_context(fresh())
        await registrar.register("stays", check=True)
        await registrar.register("goes")
        async with reading(source(agent)) as said:
            kept = said.keys["/stays"].objects
            stack.close()
            await said.until(lambda: not said.health.ok)
            assert set(said.keys) == {"/stays", "/goes"}
            (told,) = said.diagnostics
            assert told.startswith(f"SMP0210 {agent.url} gives no answer since {NOW}: ")
            assert "the services stay as they were last seen" in told

            with fresh(ports={"http": int(agent.http.rpartition(":")[2])}) as (_, again):
                await again.register("stays", check=True)
                # A Consul that begins anew is empty for a moment, and that is what it says.
                await said.until(lambda: said.health.ok and said.states("/stays") and "/goes" not in said.keys)
                assert [item.ref for item in said.keys["/stays"].objects] == [item.ref for item in kept]
                await again.check("stays", "fail")
                await said.until(lambda: said.states("/stays") == {"stays-8080": "down"})

    with ExitStack() as stack:
        run(main(stack))


def test_a_start_while_consul_is_away_knows_what_was_there(consul_agent: Agent) -> None:
    async def main() -> None:
        registrar = Registrar(consul_agent)
        await registrar.register("kept", tags=["version=2"])
        await registrar.register("dropped")
        disk: dict[str, bytes] = {}

        def save(changes: Mapping[str, bytes | None]) -> None:
            for key, data in changes.items():
                if data is None:
                    disk.pop(key, None)
                else:
                    disk[key] = data

        async with reading(source(consul_agent, save=save)) as said:
            first = said.keys["/kept"].objects
        assert {"/kept", "/dropped"} <= disk.keys()

        away = Consul(Target("http://127.0.0.1:1"), lambda: NOW, load=lambda: disk, save=save)
        async with reading(away) as said:
            assert said.records[0].whole
            assert [(item.ref, item.meta, item.spec) for item in said.keys["/kept"].objects] == [
                (item.ref, item.meta, item.spec) for item in first
            ]
            await said.until(lambda: not said.health.ok)
            assert {"/kept", "/dropped"} <= said.keys.keys()

        await registrar.deregister("dropped")
        async with reading(source(consul_agent, load=lambda: dict(disk), save=save)) as said:
            kept = said.keys["/kept"].objects
            await said.until(lambda: "/dropped" not in said.keys)
            # What is still so is the same object: nothing is done anew for it.
            assert said.keys["/kept"].objects[2] is kept[2]
        assert "/dropped" not in disk

    run(main())


def test_a_start_without_consul_and_without_anything_kept() -> None:
    async def main() -> None:
        nobody = Consul(Target("http://127.0.0.1:1"), lambda: NOW, Options(patience=0.05))
        async with reading(nobody) as said:
            assert said.records[0].whole
            assert said.keys == {}
            (told,) = said.diagnostics
            assert told.startswith("SMP0210 http://127.0.0.1:1 gives no answer since")
            assert "--consul says where it is" in told

    run(main())


MASTER = "aaaaaaaa-0000-0000-0000-000000000000"
ACL: dict[str, Any] = {
    "acl": {
        "enabled": True,
        "default_policy": "allow",
        "token_ttl": "10ms",
        "policy_ttl": "10ms",
        "tokens": {"master": MASTER, "agent": MASTER},
    },
}


def test_a_token_that_consul_does_not_know() -> None:
    async def main(agent: Agent) -> None:
        wrong = "00000000-1111-2222-3333-444444444444"
        async with reading(Consul(Target(agent.url, wrong), lambda: NOW, Options(patience=0.5))) as said:
            assert said.keys == {}
            (told,) = said.diagnostics
            assert told.startswith("SMP0211")
            assert "Consul does not know this token" in told
            assert wrong not in str(said.diagnostics)

    with running(**ACL) as agent:
        run(main(agent))


def test_a_token_that_loses_its_rights_takes_nothing_away() -> None:
    async def main(agent: Agent) -> None:
        registrar = Registrar(agent)
        await registrar.register("seen", check=True)
        async with Client(Target(agent.url, MASTER)) as master:

            async def policy(access: str, number: str = "") -> str:
                body = {"Name": "p", "ID": number, "Rules": f'service_prefix "" {{ policy = "{access}" }}'}
                return str((await master.put(path("acl", "policy", *([number] if number else [])), body)).body["ID"])

            number = await policy("read")
            token = (await master.put(path("acl", "token"), {"Policies": [{"ID": number}]})).body["SecretID"]
            async with reading(Consul(Target(agent.url, token), lambda: NOW)) as said:
                assert set(said.keys) == {"/seen"}
                await policy("deny", number)
                # Whatever moves the catalogue has it read anew; Consul keeps what a token may do for a moment.
                number_of_others = 0
                while said.health.ok:
                    number_of_others += 1
                    await registrar.register(f"another-{number_of_others}")
                assert "/seen" in said.keys
                assert said.states("/seen")
                (told,) = said.diagnostics
                assert told.startswith("SMP0211")
                assert 'service_prefix "" { policy = "read" }' in told
                await policy("read", number)
                await said.until(lambda: said.health.ok and f"/another-{number_of_others}" in said.keys)

    with running(**ACL) as agent:
        run(main(agent))


def test_names_of_a_service_that_no_object_may_have(consul_agent: Agent) -> None:
    async def main() -> None:
        registrar = Registrar(consul_agent)
        await registrar.register("Order Service/ü")
        async with reading(source(consul_agent)) as said:
            await said.until(lambda: said.states("/Order Service/ü"))
            (service, *_) = said.keys["/Order Service/ü"].objects
            assert service.ref[:3] == (CORE, "Service", "default")
            assert service.meta.annotations == {"sampan.dev/registered-name": "Order Service/ü"}

    run(main())
