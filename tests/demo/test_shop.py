"""The shop's processes: all come up, a dead one comes back, none stays."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import yaml

from sampan.demo.client import Client
from sampan.demo.shop import ROLES, DemoError, Event, Ports, Role, Shop, check_ports


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def backends(shop: Shop) -> dict[str, int]:
    """Port by instance, as the gateway reads it."""
    documents = yaml.safe_load_all((shop.documents / "instances.yaml").read_text())
    return {document["metadata"]["name"]: document["spec"]["endpoints"][0]["port"] for document in documents}


def test_everything_runs_is_written_down_and_ends(tmp_path: Path, ports: Ports) -> None:
    async def work() -> tuple[int, ...]:
        async with Shop(tmp_path, ports) as shop:
            assert [instance.name for instance in shop.instances] == [role.name for role in ROLES]
            assert backends(shop) == {instance.name: instance.port for instance in shop.instances}
            listeners = yaml.safe_load((shop.documents / "gateway.yaml").read_text())["spec"]["listeners"]
            assert [listener["port"] for listener in listeners] == [ports.web, ports.web, ports.parrot]
            reviews = next(instance for instance in shop.instances if instance.version == "v2")
            async with Client(reviews.host, reviews.port) as client:
                assert (await client.get("/reviews/net")).headers["x-pid"] == str(reviews.pid)
            return tuple(instance.pid for instance in shop.instances)

    pids = asyncio.run(work())
    assert len(set(pids)) == len(ROLES)
    assert not any(map(alive, pids))


def test_an_instance_that_dies_is_taken_out_and_comes_back(tmp_path: Path, ports: Ports) -> None:
    async def work() -> None:
        events: asyncio.Queue[Event] = asyncio.Queue()
        roles = (Role("catalogue", "v1", "catalogue-1"), Role("parrot", "v1", "parrot-1"))
        async with asyncio.timeout(20), Shop(tmp_path, ports, events.put_nowait, roles) as shop:
            first = shop.instances[0]
            os.kill(first.pid, signal.SIGKILL)
            gone = await events.get()
            assert (gone.name, gone.up) == ("catalogue-1", False)
            assert "signal 9" in gone.words
            assert set(backends(shop)) == {"parrot-1"}
            back = await events.get()
            assert (back.name, back.up) == ("catalogue-1", True)
            assert shop.instances[0].pid != first.pid
            assert backends(shop)["catalogue-1"] == shop.instances[0].port

    asyncio.run(work())


def test_a_service_that_does_not_start_is_a_sentence_and_leaves_nothing(tmp_path: Path, ports: Ports) -> None:
    async def work() -> tuple[str, int]:
        roles = (Role("catalogue", "v1", "catalogue-1"), Role("nix", "v1", "nix-1"))
        with pytest.raises(DemoError) as caught:
            async with Shop(tmp_path, ports, roles=roles):
                raise AssertionError("entered")
        return str(caught.value), len(asyncio.all_tasks())

    text, tasks = asyncio.run(work())
    assert text.startswith("nix-1 did not start: ")
    assert "No module named sampan.demo.services.nix" in text
    assert tasks == 1


def test_an_error_inside_comes_out_as_it_was(tmp_path: Path, ports: Ports) -> None:
    async def work() -> None:
        async with Shop(tmp_path, ports, roles=(Role("parrot", "v1", "parrot-1"),)):
            raise KeyError("mine")

    with pytest.raises(KeyError):
        asyncio.run(work())


def test_a_cancellation_inside_ends_the_processes(tmp_path: Path, ports: Ports) -> None:
    async def work() -> int:
        inside: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def run() -> None:
            async with Shop(tmp_path, ports, roles=(Role("parrot", "v1", "parrot-1"),)) as shop:
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

    async def work() -> None:
        async with Shop(tmp_path / "file", ports):
            raise AssertionError("entered")

    with pytest.raises(DemoError, match="choose another folder"):
        asyncio.run(work())


def test_a_parent_killed_with_9_leaves_no_orphans(tmp_path: Path, ports: Ports) -> None:
    program = textwrap.dedent(
        """
        import asyncio, sys
        from pathlib import Path
        from sampan.demo.shop import Ports, Shop

        async def main():
            async with Shop(Path(sys.argv[1]), Ports(int(sys.argv[2]), int(sys.argv[3]))) as shop:
                print(*(instance.pid for instance in shop.instances), flush=True)
                await asyncio.Event().wait()

        asyncio.run(main())
        """
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path), str(ports.web), str(ports.parrot)], stdout=subprocess.PIPE
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
