from __future__ import annotations

import asyncio
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sampan.proxy import admin

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

Serve = Callable[[bytes], Path]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Answers one connection with what it is given, on a socket that is reached through a link."""
    threads: list[threading.Thread] = []
    with tempfile.TemporaryDirectory(prefix="sampan-", dir="/tmp") as folder:

        def start(answer: bytes) -> Path:
            server = socket.socket(socket.AF_UNIX)
            server.bind(f"{folder}/1")
            server.listen()

            def once() -> None:
                with server, server.accept()[0] as connection:
                    connection.recv(4096)
                    connection.sendall(answer)

            threads.append(threading.Thread(target=once))
            threads[-1].start()
            link = Path(folder) / ("long" * 30)
            link.symlink_to(f"{folder}/1")
            return link

        yield start
        for thread in threads:
            thread.join(5)


def test_a_chunked_answer_is_put_together(serve: Serve) -> None:
    body = b'5\r\n{"sta\r\n19;x=y\r\nts":[{"name":"a","value":\r\n4\r\n3}]}\r\n0\r\n\r\n'
    assert admin.statistics(serve(CHUNKED + body)) == {"a": 3}


def test_a_plain_answer_ends_with_the_connection(serve: Serve) -> None:
    assert asyncio.run(admin.ask(serve(OK + b"\r\nLIVE\n"), "/ready")) == b"LIVE\n"


def test_an_envoy_that_is_not_ready_says_in_which_state_it_is(serve: Serve) -> None:
    answer = b"HTTP/1.1 503 Service Unavailable\r\n\r\nINITIALIZING\n"
    assert admin.state(serve(answer)) == "INITIALIZING"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "hung up"),
        (b"HTTP/1.1 200 OK\r\n", "hung up"),
        (CHUNKED + b"ff\r\nshort", "broke off"),
        (CHUNKED + b"5\r\nhello", "broke off"),
        (CHUNKED + b"zz\r\n", "broke off"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\nno such thing", "with 400: no such thing"),
    ],
)
def test_an_answer_that_is_none_is_an_error(serve: Serve, answer: bytes, said: str) -> None:
    with pytest.raises(admin.AdminError, match=said):
        admin.call(serve(answer), "/stats")


def test_an_envoy_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(admin.AdminError, match="no answer to GET /ready"):
        admin.call(tmp_path / "nothing", "/ready")
    with pytest.raises(admin.AdminError, match="no answer to GET /ready"):
        asyncio.run(admin.ask(tmp_path / "nothing", "/ready"))
