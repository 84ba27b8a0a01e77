"""The source over the embedded registry's own process: many services, and a registry that is killed and comes back."""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sampan.consul.client import Client
from sampan.consul.target import Target
from sampan.consul.wire import path
from sampan.sources.consul.reading import Options
from sampan.sources.consul.watch import Consul

from ..registry.test_process import said as announcement
from ..registry.test_process import started
from .collector import NOW, reading, run

MANY = 10_000
OPERATIONS = 64  # of one transaction


def address(process: subprocess.Popen[str]) -> str:
    return f"http://{json.loads(announcement(process))['http']}"


async def check(client: Client, service: str, status: str) -> None:
    body: dict[str, Any] = {"CheckID": f"check-{service}", "Name": "check", "Status": status, "ServiceID": service}
    await client.put(path("catalog", "register"), {"Node": "n1", "Address": "10.0.0.1", "Check": body})


def service(number: int) -> str:
    return f"svc-{number:05}"


def test_ten_thousand_services(tmp_path: Path) -> None:
    async def main(url: str) -> None:
        async with Client(Target(url)) as client:
            await client.put(path("catalog", "register"), {"Node": "n1", "Address": "10.0.0.1"})
            operations = [
                {"Service": {"Verb": "set", "Node": "n1", "Service": {"ID": name, "Service": name, "Port": 1000}}}
                for name in map(service, range(MANY))
            ]
            for first in range(0, MANY, OPERATIONS):
                await client.put(path("txn"), operations[first : first + OPERATIONS])

            # Consul's default of 200 connections, of which 160 are used.
            source = Consul(Target(url), lambda: NOW, Options(most_connections=160))
            source.use({service(MANY - 1)})
            async with reading(source) as said:
                await said.until(lambda: len(said.keys) == MANY)
                assert all(len(loaded.objects) == 3 for loaded in said.keys.values())
                assert said.health.ok
                assert len(source.followed()) == 160 - 11 - 4
                assert f"/{service(MANY - 1)}" in source.followed()
                seen = len(said.records)
                for number in (MANY - 1, 5000):
                    key = f"/{service(number)}"
                    await check(client, service(number), "critical")
                    await said.until(lambda key=key: set(said.states(key).values()) == {"down"})
                    await check(client, service(number), "passing")
                    await said.until(lambda key=key: set(said.states(key).values()) == {"ready"})
                await client.put(
                    path("catalog", "register"),
                    {"Node": "n1", "Address": "10.0.0.1", "Service": {"Service": "late", "Port": 1}},
                )
                await said.until(lambda: said.states("/late"))
                told = {key for records in said.records[seen:] for key in records.changed}
                assert told == {f"/{service(MANY - 1)}", f"/{service(5000)}", "/late"}

    with started(tmp_path, "--http", "127.0.0.1:0") as process:
        run(main(address(process)), 120)


def test_killed_and_back(tmp_path: Path) -> None:
    async def main(stack: ExitStack) -> None:
        process = stack.enter_context(started(tmp_path, "--http", "127.0.0.1:0"))
        url = address(process)
        async with Client(Target(url)) as client, reading(Consul(Target(url), lambda: NOW)) as said:
            await client.put(path("agent", "service", "register"), {"Name": "web", "Port": 1, "Address": "10.0.0.1"})
            await said.until(lambda: said.states("/web"))
            instance = said.keys["/web"].objects[2]
            for _ in range(2):
                process.kill()
                await said.until(lambda: not said.health.ok)
                assert said.keys["/web"].objects[2] is instance
                process = stack.enter_context(started(tmp_path, "--http", "127.0.0.1:0"))
                assert address(process) == url
                await said.until(lambda: said.health.ok)
                assert said.keys["/web"].objects[2] is instance
            await client.put(path("agent", "service", "register"), {"Name": "api", "Port": 1, "Address": "10.0.0.1"})
            await said.until(lambda: said.states("/api"))
            await client.put(path("agent", "service", "deregister", "web"))
            await said.until(lambda: "/web" not in said.keys)

    with ExitStack() as stack:
        run(main(stack))
