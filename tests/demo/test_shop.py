"""The shop's processes: all come up, a dead one comes back, none stays."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from sampan.demo.client import Client
from sampan.demo.shop import ROLES, DemoError, Event, Ports, Role, Shop, check_ports, prepare


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def registered(registry: str) -> dict[str, dict[str, Any]]:
    """By instance, as the registry has it."""
    host, _, port = registry.rpartition(":")
    async with Client(host, int(port)) as client:
        found: dict[str, dict[str, Any]] = (await client.get("/v1/agent/services")).json()
    return found


async def until(what: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await what():
            await asyncio.sleep(0.01)


def test_the_documents_are_written_with_the_ports(tmp_path: Path, ports: Ports) -> None:
    documents = prepare(tmp_path, ports)
    listeners = yaml.safe_load((documents / "gateway.yaml").read_text())["spec"]["listeners"]
    assert [listener["port"] for listener in listeners] == [ports.web, ports.web, ports.parrot]


def test_everything_runs_registers_and_ends(ports: Ports, registry: str) -> None:
    async def work() -> tuple[int, ...]:
        async with Shop(ports, registry) as shop:
            assert [instance.name for instance in shop.instances] == [role.name for role in ROLES]

            async def all_there() -> bool:
                return len(await registered(registry)) == len(ROLES)

            await until(all_there)
            found = await registered(registry)
            for instance in shop.instances:
                entry = found[instance.name]
                assert (entry["Service"], entry["Address"]) == (instance.service, instance.host)
                assert entry["Port"] == instance.port
                assert entry["Meta"]["version"] == instance.version
                assert entry["Meta"]["pid"] == str(instance.pid)
            assert found["stock-1"]["Meta"]["protocol"] == "grpc"
            reviews = next(instance for instance in shop.instances if instance.version == "v2")
            async with Client(reviews.host, reviews.port) as client:
                assert (await client.get("/reviews/net")).headers["x-pid"] == str(reviews.pid)
            return tuple(instance.pid for instance in shop.instances)

    pids = asyncio.run(work())
    assert len(set(pids)) == len(ROLES)
    assert not any(map(alive, pids))
    assert asyncio.run(registered(registry)) == {}


def test_services_that_are_there_before_the_registry_get_into_it(ports: Ports, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [sys.executable, "-m", "sampan.registry", "--state", str(tmp_path), "--http", place, "--dns", "off"]

    async def there() -> bool:
        with suppress(OSError):
            return set(await registered(place)) == {"parrot-1"}
        return False

    async def work() -> None:
        async with Shop(ports, place, roles=(Role("parrot", "v1", "parrot-1"),)):
            with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
                try:
                    await until(there)
                finally:
                    process.terminate()

    asyncio.run(work())


def test_an_instance_that_dies_is_replaced_by_another(ports: Ports, registry: str) -> None:
    async def work() -> None:
        events: asyncio.Queue[Event] = asyncio.Queue()
        roles = (Role("catalogue", "v1", "catalogue-1"), Role("parrot", "v1", "parrot-1"))
        async with asyncio.timeout(20), Shop(ports, registry, events.put_nowait, roles) as shop:
            first = shop.instances[0]
            os.kill(first.pid, signal.SIGKILL)
            gone = await events.get()
            assert (gone.name, gone.up) == ("catalogue-1", False)
            assert "signal 9" in gone.words
            assert [instance.name for instance in shop.instances] == ["parrot-1"]
            back = await events.get()
            assert (back.name, back.up) == ("catalogue-1", True)
            assert shop.instances[0].pid != first.pid

            async def replaced() -> bool:
                entry = (await registered(registry)).get("catalogue-1", {})  # it was killed before it had registered
                return bool(entry.get("Port") == shop.instances[0].port)

            await until(replaced)

    asyncio.run(work())


def test_a_service_that_does_not_start_is_a_sentence_and_leaves_nothing(ports: Ports) -> None:
    async def work() -> tuple[str, int]:
        roles = (Role("catalogue", "v1", "catalogue-1"), Role("nix", "v1", "nix-1"))
        with pytest.raises(DemoError) as caught:
            async with Shop(ports, roles=roles):
                raise AssertionError("entered")
        return str(caught.value), len(asyncio.all_tasks())

    text, tasks = asyncio.run(work())
    assert text.startswith("nix-1 did not start: ")
    assert "No module named sampan.demo.services.nix" in text
    assert tasks == 1


def test_an_error_inside_comes_out_as_it_was(ports: Ports) -> None:
    async def work() -> None:
        async with Shop(ports, roles=(Role("parrot", "v1", "parrot-1"),)):
            raise KeyError("mine")

    with pytest.raises(KeyError):
        asyncio.run(work())


def test_a_cancellation_inside_ends_the_processes(ports: Ports) -> None:
    async def work() -> int:
        inside: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def run() -> None:
            async with Shop(ports, roles=(Role("parrot", "v1", "parrot-1"),)) as shop:
                inside.set_result(shop.instances[0].pid)
                await asyncio.Event().wait()

        task = asyncio.ensure_future(run())
        pid = await inside
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return pid

    assert not alive(asyncio.run(work()))


def test_a_port_that_is_taken_is_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DemoError, match=f"port {port} is taken by another program.*--port"):
            check_ports(Ports(web=port, parrot=0))
        with pytest.raises(DemoError, match="--tcp-port"):
            check_ports(Ports(web=0, parrot=port))
    with pytest.raises(DemoError, match="70000 is no port"):
        check_ports(Ports(web=70000))


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path, ports: Ports) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(DemoError, match="choose another folder"):
        prepare(tmp_path / "file", ports)


def test_a_parent_killed_with_9_leaves_no_orphans(ports: Ports) -> None:
    program = textwrap.dedent(
        """
        import asyncio, sys
        from sampan.demo.shop import Ports, Shop

        async def main():
            async with Shop(Ports(int(sys.argv[1]), int(sys.argv[2]))) as shop:
                print(*(instance.pid for instance in shop.instances), flush=True)
                await asyncio.Event().wait()

        asyncio.run(main())
        """
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(ports.web), str(ports.parrot)], stdout=subprocess.PIPE
    )
    with parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        parent.kill()
    assert len(pids) == len(ROLES)
    asyncio.run(_until_gone(pids))


async def _until_gone(pids: list[int]) -> None:
    async with asyncio.timeout(10):
        while any(map(_runs, pids)):
            await asyncio.sleep(0.02)


def _runs(pid: int) -> bool:
    """Whether it runs: a zombie that nobody reaps (a container without init) has ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return alive(pid) and not Path("/proc/self").exists()
    return state != "Z"
