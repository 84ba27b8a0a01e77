"""The gRPC shell, over a real socket: what a client that does wrong gets, and a stop that leaves nothing."""

from __future__ import annotations

import asyncio
import stat
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import grpc.aio
import pytest
from xds_play import cluster

from sampan.envoy import protos
from sampan.envoy.table import table
from sampan.envoy.types import CLUSTER
from sampan.xds import server
from sampan.xds.control import Control, Disconnected
from sampan.xds.server import serving

METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
DEADLINE = 10
ANY_SIZE = (("grpc.max_receive_message_length", -1),)


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="smp") as folder:
        yield Path(folder) / "xds.sock"


def first_request(node: str = "n") -> bytes:
    message = protos.discovery.DeltaDiscoveryRequest(type_url=CLUSTER)
    message.node.id = node
    return bytes(message.SerializeToString())


async def ended_with(target: str, *requests: bytes) -> tuple[grpc.StatusCode, str]:
    async def outgoing() -> AsyncIterator[bytes]:
        for data in requests:
            yield data

    async with grpc.aio.insecure_channel(target) as channel:
        call = channel.stream_stream(METHOD)(outgoing())
        return await asyncio.wait_for(call.code(), DEADLINE), await call.details()


def test_what_is_no_request_ends_the_stream_with_a_reason(path: Path) -> None:
    async def scenario() -> None:
        async with serving(Control(), path):
            code, details = await ended_with(f"unix:{path}", b"\xff\xff\xff")
            assert code is grpc.StatusCode.INVALID_ARGUMENT
            assert "not a delta discovery request" in details
            code, details = await ended_with(f"unix:{path}", first_request(""))
            assert code is grpc.StatusCode.INVALID_ARGUMENT
            assert "node.id" in details

    asyncio.run(scenario())


def test_a_stop_ends_the_streams_and_removes_the_socket(path: Path) -> None:
    async def scenario() -> None:
        control = Control()
        control.publish("n", table([cluster("a")]))
        async with grpc.aio.insecure_channel(f"unix:{path}") as channel:
            async with serving(control, path):
                assert stat.S_IMODE(path.stat().st_mode) == 0o600
                call = channel.stream_stream(METHOD)()
                await call.write(first_request())
                body = await asyncio.wait_for(call.read(), DEADLINE)
                assert protos.discovery.DeltaDiscoveryResponse.FromString(body).resources[0].name == "a"
            assert await asyncio.wait_for(call.read(), DEADLINE) is grpc.aio.EOF
            assert await call.code() is grpc.StatusCode.OK
        assert [*path.parent.iterdir()] == []
        assert control.nodes() == ()

    asyncio.run(scenario())


def test_nobody_waits_for_a_client_that_takes_nothing_and_it_is_sent_back_when_it_does(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "WRITE_TIMEOUT", 0.05)

    async def scenario() -> None:
        control = Control()
        gone = asyncio.Event()
        control.observe(lambda notice: gone.set() if isinstance(notice.what, Disconnected) else None)
        control.publish("n", table([cluster("x" * 100_000 + str(number)) for number in range(300)]))
        async with serving(control, path), grpc.aio.insecure_channel(f"unix:{path}", ANY_SIZE) as channel:
            call = channel.stream_stream(METHOD)()
            await call.write(first_request())
            await asyncio.wait_for(gone.wait(), DEADLINE)  # without a single read
            assert control.nodes() == ()
            assert await asyncio.wait_for(call.read(), DEADLINE)
            assert await asyncio.wait_for(call.read(), DEADLINE) is grpc.aio.EOF

    asyncio.run(scenario())


def test_tcp_is_served_beside_the_socket(path: Path) -> None:
    async def scenario() -> None:
        control = Control()
        async with serving(control, path, tcp="127.0.0.1:0") as address:
            assert address.port
            code, _ = await ended_with(f"127.0.0.1:{address.port}", b"\xff\xff\xff")
            assert code is grpc.StatusCode.INVALID_ARGUMENT

    asyncio.run(scenario())


def test_a_path_that_cannot_be_is_a_sentence(path: Path) -> None:
    async def scenario(where: Path, message: str) -> None:
        with pytest.raises(OSError, match=message):
            async with serving(Control(), where):
                pass

    asyncio.run(scenario(path / ("x" * 100), "at most 103 bytes"))
    asyncio.run(scenario(path.parent / "missing" / "xds.sock", "cannot listen on"))
