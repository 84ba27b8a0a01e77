"""What a single look says of places that cannot be looked at, and of definitions that make no sense."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

import pytest

from sampan.registry.checking.outcome import Outcome
from sampan.registry.checking.probes import Probes
from sampan.registry.rows import DefinitionRow

from . import pem
from .servers import Door, health, web

NO_URL = "it is no URL of HTTP, such as http://127.0.0.1:8080/health"


@pytest.fixture
def refused() -> str:
    """A place where nobody is."""
    door = Door()
    door.close()
    return f"127.0.0.1:{door.port}"


def look(definition: DefinitionRow) -> Outcome:
    async def looked() -> Outcome:
        probes = Probes()
        try:
            return await probes.probe(definition)
        finally:
            await probes.close()

    return asyncio.run(looked())


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        ({"HTTP": "ftp://x/"}, f'Get "ftp://x/": {NO_URL}'),
        ({"HTTP": "http://"}, f'Get "http://": {NO_URL}'),
        ({"HTTP": "http://127.0.0.1:99999/", "Method": "HEAD"}, f'Head "http://127.0.0.1:99999/": {NO_URL}'),
        ({"HTTP": "http://127.0.0.1:1/", "Method": "NO METHOD"}, "Method cannot contain"),
        ({"HTTP": "http://REFUSED/"}, "dial tcp REFUSED: connect: connection refused"),
        ({"TCP": "nothing"}, "dial tcp nothing: address nothing: missing port in address"),
        ({"TCP": "::1:80"}, "too many colons in address"),
        ({"TCP": "127.0.0.1:99999"}, "invalid port"),
        ({"TCP": "REFUSED"}, "dial tcp REFUSED: connect: connection refused"),
        ({"TCP": "REFUSED", "TCPUseTLS": True}, "dial tcp REFUSED: connect: connection refused"),
        ({"UDP": "nothing"}, "missing port in address"),
        ({"GRPC": "nothing"}, "missing port in address"),
        ({"GRPC": "REFUSED"}, "rpc error: code = Unavailable"),
        ({"GRPC": "REFUSED", "GRPCUseTLS": True, "TLSSkipVerify": True}, "connection refused"),
        ({"H2PING": "REFUSED"}, "Failed to connect to REFUSED: connect: connection refused"),
        ({}, "Check type is not valid"),
    ],
)
def test_what_cannot_be_looked_at_is_critical_and_says_why(
    definition: DefinitionRow, words: str, refused: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    given = {
        name: value.replace("REFUSED", refused) if isinstance(value, str) else value
        for name, value in definition.items()
    }
    outcome = look(given)  # type: ignore[arg-type]
    assert outcome.status == "critical"
    assert words.replace("REFUSED", refused) in outcome.output
    assert not caplog.records


def test_one_that_speaks_something_else(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem.written(tmp_path))
    with web(context) as safe, web() as plain, health() as rpc:
        place = plain.url.split("/")[2]
        definitions: list[DefinitionRow] = [
            {"HTTP": safe.url.replace("https:", "http:")},
            {"HTTP": plain.url.replace("http:", "https:"), "TLSSkipVerify": True},
            {"HTTP": f"http://{rpc.place}/"},
            {"HTTP": plain.url, "Header": {"A": ["b\r\nC: d"]}},
            {"TCP": place, "TCPUseTLS": True},
            {"GRPC": place, "Timeout": 1.0},
            {"H2PING": place},
            {"H2PING": rpc.place},
            {"H2PING": place, "H2PingUseTLS": False, "Timeout": 1.0},
        ]
        for definition in definitions:
            outcome = look(definition)
            assert outcome.status == "critical", definition
            assert outcome.output
