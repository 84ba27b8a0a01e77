"""HTTP/1.1 messages and WebSocket frames, byte by byte."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from sampan.demo import wire
from sampan.demo.websocket import ProtocolError, WebSocket, accept_key

T = TypeVar("T")


class Written:
    """A StreamWriter that keeps what it was given."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    async def drain(self) -> None:
        pass


async def reader(data: bytes) -> asyncio.StreamReader:
    stream = asyncio.StreamReader()
    stream.feed_data(data)
    stream.feed_eof()
    return stream


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


async def message(data: bytes) -> tuple[str, dict[str, str], bytes]:
    stream = await reader(data)
    found = await wire.read_head(stream)
    assert found is not None
    return *found, await wire.read_body(stream, found[1])


def test_a_message_with_a_length() -> None:
    text = b"POST / HTTP/1.1\r\nA: 1\r\na:  2 \r\nContent-Length: 3\r\n\r\nabcd"
    assert run(message(text)) == ("POST / HTTP/1.1", {"a": "1, 2", "content-length": "3"}, b"abc")


def test_a_message_in_chunks() -> None:
    text = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nt: 1\r\n\r\n"
    assert run(message(text))[2] == b"abcde"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nspace : x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\ncontent-length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\ncontent-length: 99999999\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nffffffff\r\n", 413),
    ],
)
def test_a_malformed_message_says_which_answer_it_deserves(text: bytes, status: int) -> None:
    with pytest.raises(wire.MalformedMessageError) as caught:
        run(message(text))
    assert caught.value.status == status


def test_the_end_between_messages_is_no_error_and_inside_one_is() -> None:
    async def ends() -> None:
        assert await wire.read_head(await reader(b"")) is None
        with pytest.raises(ConnectionError):
            await wire.read_head(await reader(b"GET /"))
        with pytest.raises(ConnectionError):
            await wire.read_body(await reader(b"ab"), {"content-length": "3"})

    run(ends())


def test_a_header_cannot_carry_another() -> None:
    with pytest.raises(ValueError):
        wire.head("GET / HTTP/1.1", {"a": "1\r\nb: 2"})


def test_the_accept_key_is_that_of_the_rfc() -> None:
    assert accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 section 1.3


def receive(data: bytes, client: bool = True) -> tuple[str | None, bytes]:
    async def work() -> tuple[str | None, bytes]:
        written = Written()
        socket = WebSocket(await reader(data), written, client)  # type: ignore[arg-type]
        return await socket.receive(), written.data

    return run(work())


def test_frames_of_the_rfc() -> None:
    # RFC 6455 section 5.7: unmasked, masked, in two fragments.
    assert receive(b"\x81\x05Hello")[0] == "Hello"
    assert receive(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", client=False)[0] == "Hello"
    assert receive(b"\x01\x03Hel\x80\x02lo")[0] == "Hello"


def test_a_ping_is_answered_and_a_close_is_too() -> None:
    text, answered = receive(b"\x89\x05Hello\x88\x02\x03\xe8")
    assert text is None
    assert (answered[0], answered[1] & 0x7F) == (0x8A, 5)
    assert answered[11] == 0x88


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xc1\x05Hello", 1002),
        (b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 1002),
        (b"\x80\x02lo", 1002),
        (b"\x83\x00", 1002),
        (b"\x81\x7f\x00\x00\x00\x00\x10\x00\x00\x00", 1009),
    ],
)
def test_what_breaks_the_protocol_is_refused(data: bytes, code: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        receive(data)
    assert caught.value.code == code


@pytest.mark.parametrize("length", [0, 125, 126, 65535, 65536])
def test_what_one_end_sends_the_other_receives(length: int) -> None:
    async def work() -> str | None:
        written = Written()
        await WebSocket(await reader(b""), written, client=True).send("x" * length)  # type: ignore[arg-type]
        return await WebSocket(await reader(written.data), Written(), client=False).receive()  # type: ignore[arg-type]

    assert run(work()) == "x" * length
