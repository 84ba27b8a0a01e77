"""A stage for documents as users have them: their ports are exchanged for free ones, everything listens on loopback
alone, `examples/echo.py` plays the services and `sampan up` runs them."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SAMPAN = [sys.executable, "-P", "-m", "sampan.cli"]
DEADLINE_SECONDS = 20.0
DOORS = (8080, 8081, 8443, 9000)
"""The ports of listeners in documents for users; every other one below is a service's."""
REGISTRY = 8500


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def name(self) -> str:
        """Which service answered."""
        return self.text.partition(" got")[0]

    @property
    def line(self) -> str:
        """The request's first line as the service saw it."""
        return self.text.splitlines()[1]


class Stage:
    """A folder, a state folder, services, and a running Sampan. `ports` maps the ports in documents to real ones."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self._stack = folder, stack
        self.ports = {door: _free_port() for door in (*DOORS, REGISTRY)}
        registry = {"SAMPAN_REGISTRY": f"127.0.0.1:{self.ports[REGISTRY]}"}
        terminal = {"TERM": "dumb", "COLUMNS": "200"}
        self.environment = {**os.environ, "SAMPAN_STATE": str(folder / "state"), **registry, **terminal}
        self.process: subprocess.Popen[bytes] | None = None

    def placed(self, text: str) -> str:
        """A document's text with our ports, and with Gateways that listen on loopback alone."""
        text = re.sub(r"\b\d{4}\b", lambda found: str(self.ports.get(int(found[0]), found[0])), text)
        return re.sub(r"^( *)gatewayClassName: sampan$", r"\g<0>\n\1addresses: [{value: 127.0.0.1}]", text, flags=re.M)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.new")
        beside.write_text(self.placed(text))
        beside.rename(path)
        return path

    def example(self, name: str) -> Path:
        return self.write(name, (EXAMPLES / name).read_text())

    def echo(self, port: int, name: str, *options: str) -> None:
        """A service that documents know at `port`; what it was asked is in `NAME.log`."""
        command = [sys.executable, "-P", str(EXAMPLES / "echo.py"), "0", name, *options]
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        self._stack.callback(_end, process, signal.SIGKILL)
        assert process.stdout is not None, "asked for a pipe"
        self._stack.callback(process.stdout.close)
        self.ports[port] = int(process.stdout.readline().decode().rpartition(":")[2])

    def sampan(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command, in the folder."""
        return subprocess.run(
            [*SAMPAN, *arguments], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=60
        )

    def up(self, path: Path) -> None:
        """`sampan up -f path`, until all Gateways are programmed."""
        log = self.folder / "up.log"
        with log.open("wb") as output:
            command = [*SAMPAN, "up", "-f", str(path), "--drain-seconds", "1", "--concurrency", "1"]
            process = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=output, stderr=output)
        self._stack.callback(_end, process, signal.SIGTERM)
        self.process = process
        self.until(self.programmed)

    def programmed(self) -> bool:
        done = self.sampan("get", "gateways", "-A", "-o", "json")
        if done.returncode:
            return False
        gateways = json.loads(done.stdout)["items"]
        return bool(gateways) and all(
            condition["status"] == "True"
            for gateway in gateways
            for condition in gateway.get("status", {}).get("conditions", [{"type": "Programmed", "status": "False"}])
            if condition["type"] == "Programmed"
        )

    def until(self, what: Callable[[], Any]) -> Any:
        """What `what` gives once it is true; fails with the log after a while."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            if found := what():
                return found
            time.sleep(0.02)
        raise AssertionError(f"not within {DEADLINE_SECONDS} s\n{(self.folder / 'up.log').read_text()}")

    def get(
        self,
        path: str = "/",
        port: int = 8080,
        *,
        method: str = "GET",
        tls: ssl.SSLContext | None = None,
        host: str = "localhost",
        **headers: str,
    ) -> Answer:
        """A request to a door of the gateway. Underscores in names of headers become hyphens."""
        raw = socket.create_connection(("127.0.0.1", self.ports[port]), timeout=DEADLINE_SECONDS)
        connection = http.client.HTTPConnection(host, timeout=DEADLINE_SECONDS)
        with closing(connection):
            connection.sock = raw if tls is None else tls.wrap_socket(raw, server_hostname=host)
            given = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
            connection.request(method, path, headers=given)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read().decode())


def _end(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(DEADLINE_SECONDS)
        finally:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def stage() -> Iterator[Stage]:
    with (
        tempfile.TemporaryDirectory(prefix="sampan-", ignore_cleanup_errors=True) as folder,
        ExitStack() as stack,
    ):
        yield Stage(Path(folder), stack)


@pytest.fixture
def certificate(stage: Stage) -> ssl.SSLContext:
    """Makes `certs/tls.crt` and `certs/tls.key` for shop.example.com in the stage's folder, as openssl would, and gives
    a client's context that trusts them."""
    return certified(stage.folder / "certs")


def certified(folder: Path) -> ssl.SSLContext:
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop.example.com")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("shop.example.com")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "tls.crt").write_bytes(certificate.public_bytes(encoding))
    (folder / "tls.key").write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    return ssl.create_default_context(cafile=str(folder / "tls.crt"))
