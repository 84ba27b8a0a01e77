"""A real Envoy on a compiled Plan, and backends that say what they were asked."""

from __future__ import annotations

import contextlib
import datetime
import http.client
import http.server
import json
import socketserver
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sampan.compile.endpoints import endpoint_row
from sampan.compile.engine import compile_plan
from sampan.compile.memo import Memo
from sampan.envoy import protos
from sampan.envoy.static import static_bootstrap
from sampan.model.names import Ref
from sampan.model.plan import (
    Action,
    Chain,
    Endpoint,
    EndpointGroup,
    Entry,
    Host,
    HttpApplication,
    Match,
    Plan,
    RuleOrigin,
    Share,
    Socket,
    Upstream,
    View,
)
from sampan.model.policy import Effective, Policies
from sampan.policies import discover
from sampan.proxy.binary import find

DEADLINE = 20.0
KINDS = discover()


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def seen(self) -> dict[str, Any]:
        """What the backend says it was asked: name, method, path, headers."""
        return dict(json.loads(self.body))


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    pass


class Backend:
    """An HTTP/1.1 server that answers with its name and the request, as JSON; `requests` keeps them. With a `context`
    it speaks TLS; with a `path` it listens on a Unix socket.

    `/status/CODE` answers with that code, `/flaky/N/CODE` the first N times, `/slow/SECONDS` after a wait; `/hangup`
    closes the connection without a word.
    """

    def __init__(self, name: str, context: ssl.SSLContext | None = None, path: str = "") -> None:
        self.requests: list[dict[str, Any]] = []
        self.arrived = threading.Condition()
        backend = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # one packet for an answer: two would wait for each other (Nagle, delayed ACK), 40 ms each
            disable_nagle_algorithm = not path

            def answer(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                body = self.rfile.read(length)
                seen = {
                    "name": name,
                    "method": self.command,
                    "path": self.path,
                    "headers": {key.lower(): value for key, value in self.headers.items()},
                    "lines": [f"{key.lower()}: {value}" for key, value in self.headers.items()],
                    "body": body.decode(errors="replace"),
                }
                with backend.arrived:
                    backend.requests.append(seen)
                    backend.arrived.notify_all()
                parts = self.path.split("?")[0].split("/")
                if parts[1] == "slow":
                    backend.released.wait(float(parts[2]))
                if parts[1] == "hangup":
                    self.close_connection = True
                    return
                status = int(parts[2]) if parts[1] == "status" else 200
                if parts[1] == "flaky" and sum(seen["path"] == self.path for seen in backend.requests) <= int(parts[2]):
                    status = int(parts[3])
                text = json.dumps(seen).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("x-from", name)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self.wfile.write(text)

            do_GET = do_POST = do_PUT = do_DELETE = do_OPTIONS = answer  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.released = threading.Event()
        self.path = path
        self.server = UnixServer(path, Handler) if path else http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def wait_for(self, count: int) -> bool:
        """Whether `count` requests arrive in time."""
        with self.arrived:
            return self.arrived.wait_for(lambda: len(self.requests) >= count, DEADLINE)

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.path, 0) if self.path else Endpoint("127.0.0.1", int(self.server.server_address[1]))

    def close(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@dataclass
class Running:
    """An Envoy; ports of its listeners by name."""

    admin: int
    ports: dict[str, int] = field(default_factory=dict)

    def request(
        self,
        path: str,
        method: str = "GET",
        *,
        host: str = "shop.example.com",
        headers: dict[str, str] | None = None,
        listener: str = "http",
        body: bytes | None = None,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[listener], timeout=DEADLINE)
        try:
            connection.request(method, path, body=body, headers={"host": host, **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def statistics(self, word: str) -> dict[str, int]:
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=DEADLINE)
        connection.request("GET", f"/stats?filter={word}&format=json")
        found = json.loads(connection.getresponse().read())["stats"]
        connection.close()
        return {item["name"]: item["value"] for item in found if "name" in item}


def in_force(**settings: dict[str, object]) -> Policies:
    """What is shipped, with these fields of these kinds set: `in_force(Retry={"attempts": 2})`."""
    return {
        kind.kind: Effective(kind.kind, kind.shipped.model_copy(update=settings.get(kind.kind, {})), {})
        for kind in KINDS
    }


def bootstrap_of(plan: Plan, groups: Sequence[EndpointGroup]) -> bytes:
    table = compile_plan(plan, KINDS, Memo()).table.with_rows(endpoint_row(group) for group in groups)
    head = protos.bootstrap.Bootstrap()
    head.admin.address.socket_address.address = "127.0.0.1"
    head.admin.address.socket_address.port_value = 0
    return bytes(head.SerializeToString()) + static_bootstrap(table)


def admin_json(port: int, path: str) -> object:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


@contextlib.contextmanager
def running(bootstrap: bytes, folder: Path) -> Iterator[Running]:
    config, admin = folder / "bootstrap.pb", folder / "admin"
    config.write_bytes(bootstrap)
    log = (folder / "log").open("wb")
    options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]
    command = [str(find()), "-c", str(config), "--admin-address-path", str(admin), *options]
    process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + DEADLINE
        while True:
            with contextlib.suppress(OSError, ValueError, KeyError):
                port = int(admin.read_text().rpartition(":")[2])
                if dict(admin_json(port, "/server_info"))["state"] == "LIVE":  # type: ignore[call-overload]
                    break
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((folder / "log").read_text())
            time.sleep(0.01)
        listeners = dict(admin_json(port, "/listeners?format=json"))["listener_statuses"]  # type: ignore[call-overload]
        ports = {item["name"]: item["local_address"]["socket_address"]["port_value"] for item in listeners}
        yield Running(port, ports)
    finally:
        process.terminate()
        try:
            process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, PEM, and files of them."""

    chain: bytes
    key: bytes
    chain_file: str
    key_file: str


class Authority:
    """Makes certificates that live an hour."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.bundle = self._signed(self._name, self._key.public_key(), (), authority=True)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self.bundle)

    def pair(self, *names: str) -> Pair:
        """For DNS names."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        chain = self._signed(subject, key.public_key(), names)
        form = serialization.PrivateFormat.PKCS8
        pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        files = [self._folder / f"{names[0].replace('*', '_')}.{suffix}" for suffix in ("pem", "key")]
        files[0].write_bytes(chain)
        files[1].write_bytes(pem)
        return Pair(chain, pem, str(files[0]), str(files[1]))

    def _signed(self, subject: x509.Name, key: Any, names: Sequence[str], authority: bool = False) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def authority(tmp_path: Path) -> Callable[[str], Authority]:
    """Makes an authority with a name."""
    return lambda name: Authority(tmp_path, name)


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts an Envoy on a Plan and the endpoints of its groups."""
    with contextlib.ExitStack() as stack:

        def begin(plan: Plan, groups: Sequence[EndpointGroup] = ()) -> Running:
            return stack.enter_context(running(bootstrap_of(plan, groups), tmp_path))

        yield begin


@pytest.fixture
def backend() -> Iterator[Callable[..., Backend]]:
    """Starts a backend with a name."""
    with contextlib.ExitStack() as stack:

        def begin(name: str, **options: Any) -> Backend:
            made = Backend(name, **options)
            stack.callback(made.close)
            return made

        yield begin


@pytest.fixture
def policies() -> Callable[..., Policies]:
    """`policies(Retry={"attempts": 2})`: what is shipped with these fields set."""
    return in_force


@dataclass
class Shop:
    """Puts a Plan together around some entries: one socket `http` on an ephemeral port, host `*`."""

    upstreams: dict[str, Upstream] = field(default_factory=dict)
    groups: list[EndpointGroup] = field(default_factory=list)

    def upstream(self, name: str, *endpoints: Endpoint, **changes: object) -> str:
        upstream = Upstream(name, Ref("", "Service", "default", name), 80, name, **changes)  # type: ignore[arg-type]
        self.upstreams[name] = upstream
        if upstream.discovery == "endpoints":
            self.groups.append(EndpointGroup(name, endpoints))
        return name

    def action(self, name: str, *shares: Share, **changes: object) -> Action:
        origin = RuleOrigin(Ref("gateway.networking.k8s.io", "HTTPRoute", "default", name), 0)
        return Action(name, origin, shares, **changes)  # type: ignore[arg-type]

    def plan(self, *entries: Entry, hosts: Sequence[Host] = (), **changes: object) -> Plan:
        application = HttpApplication("http", hosts or (Host("any", "*", entries),))
        sockets = (Socket("http", 0, (Chain("http", application),), ("127.0.0.1",)),)
        gateway = View(Ref("gateway.networking.k8s.io", "Gateway", "default", "shop"))
        return Plan(**{"view": gateway, "sockets": sockets, "upstreams": self.upstreams, **changes})  # type: ignore[arg-type]

    def only(self, match: Match, action: Action) -> Plan:
        return self.plan(Entry(match, action))


@pytest.fixture
def shop() -> Shop:
    return Shop()
