"""A real Consul that speaks TLS alone to whoever has a certificate, and everything that can be wrong about it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sampan.consul.client import Client
from sampan.consul.errors import RefusedError, UnreachableError
from sampan.consul.target import Target, TargetError, target
from sampan.consul.wire import path

from ..consul_binary import running
from .authority import Authority, Pair
from .collector import run

pytestmark = pytest.mark.consul

SERVER = "server.dc1.consul"


@dataclass(frozen=True, slots=True)
class Secured:
    """An agent's address, whom to trust, and a certificate that it takes."""

    address: str
    authority: str
    client: Pair
    folder: Path

    @property
    def target(self) -> Target:
        return Target(
            self.address,
            ca_file=self.authority,
            client_certificate=self.client.certificate,
            client_key=self.client.key,
            server_name=SERVER,
        )


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(folder)
    server, client = authority.issue(SERVER), authority.issue("client")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    files = {"ca_file": authority.file, "cert_file": server.certificate, "key_file": server.key}
    with running(ports={"https": port}, verify_incoming_https=True, **files):
        yield Secured(f"https://127.0.0.1:{port}", authority.file, client, folder)


async def leader(given: Target) -> str:
    async with Client(given) as client:
        return str((await client.get(path("status", "leader"))).body)


def refusal(given: Target) -> str:
    found = []

    async def main() -> None:
        with pytest.raises(UnreachableError) as caught:
            await leader(given)
        found.append(str(caught.value))

    run(main())
    return found[0]


def test_with_everything_right(secured: Secured) -> None:
    async def main() -> None:
        assert (await leader(secured.target)).startswith("127.0.0.1:")

    run(main())


def test_from_the_environment(secured: Secured) -> None:
    async def main() -> None:
        environment = {
            "CONSUL_HTTP_ADDR": secured.address.removeprefix("https://"),
            "CONSUL_HTTP_SSL": "true",
            "CONSUL_CACERT": secured.authority,
            "CONSUL_CLIENT_CERT": secured.client.certificate,
            "CONSUL_CLIENT_KEY": secured.client.key,
            "CONSUL_TLS_SERVER_NAME": SERVER,
        }
        assert await leader(target(environment))
        unverified = {name: value for name, value in environment.items() if name not in ("CONSUL_TLS_SERVER_NAME",)}
        assert await leader(target({**unverified, "CONSUL_HTTP_SSL_VERIFY": "false"}))

    run(main())


def test_another_authority(secured: Secured) -> None:
    other = Authority(secured.folder, "other")
    assert "certificate is not accepted" in refusal(replace(secured.target, ca_file=other.file))


def test_another_name(secured: Secured) -> None:
    text = refusal(replace(secured.target, server_name=""))
    assert "certificate is not accepted" in text
    assert "127.0.0.1" in text


def test_no_certificate_of_ours_or_a_strangers(secured: Secured) -> None:
    stranger = Authority(secured.folder, "strangers").issue("stranger")
    for pair in (Pair("", ""), stranger):
        text = refusal(replace(secured.target, client_certificate=pair.certificate, client_key=pair.key))
        # With TLS 1.3 the server says so after the handshake, and its closing the connection may overtake that.
        assert "it wants a client certificate" in text or "reset" in text or "closed before the answer" in text, text


def test_plain_http(secured: Secured) -> None:
    async def main() -> None:
        given = Target(secured.address.replace("https://", "http://"))
        async with Client(given) as client:
            with pytest.raises(RefusedError, match="HTTP request to an HTTPS server"):
                await client.get(path("status", "leader"))

    run(main())


def test_a_key_of_another_certificate(secured: Secured) -> None:
    other = Authority(secured.folder, "third").issue("somebody")
    with pytest.raises(TargetError, match="belong together"):
        replace(secured.target, client_key=other.key).tls()
