"""What documents say reaches the wire as it was written, and as nothing else: bytes as the upstream gets them."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ..daemon.conftest import Sampan, backend, document, gateway, joined

pytestmark = pytest.mark.envoy

# Each would be something else for Envoy's substitution, whose formatter reads header values and rewritten hosts.
OPERATORS = (
    "%REQ(x-secret)%",
    "%DOWNSTREAM_REMOTE_ADDRESS%",
    "%ENVIRONMENT(HOME)%",
    "%FILE_CONTENT(/etc/hostname)%",
    "100%",
    "%%",
    "%NO_SUCH_OPERATOR%",
    "%41%0d%0aevil:1",
    "$1\\1${x}",
)


class Recorder(socketserver.ThreadingTCPServer):
    """An upstream that answers with nothing and keeps the heads of requests, byte for byte."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.heads: list[bytes] = []
        self.port: int = self.server_address[1]


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Recorder)
        head = b""
        while line := self.rfile.readline():
            head += line
            if line == b"\r\n":
                self.server.heads.append(head)
                self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                head = b""


@contextmanager
def recording() -> Iterator[Recorder]:
    with Recorder() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def answer(port: int, host: str, path: str = "/") -> list[str]:
    """The head of the answer, line by line."""
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        text = f"GET {path} HTTP/1.1\r\nhost: {host}\r\nx-secret: leaked\r\nconnection: close\r\n\r\n"
        connection.sendall(text.encode())
        with connection.makefile("rb") as file:
            return file.read().split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")


def ruled(name: str, *filters: dict[str, object], backends: bool = True) -> str:
    rule: dict[str, object] = {"filters": list(filters)}
    if backends:
        rule["backendRefs"] = [{"group": "sampan.dev", "kind": "Backend", "name": "one"}]
    spec = {"parentRefs": [{"name": "shop"}], "hostnames": [f"{name}.example"], "rules": [rule]}
    return document("gateway.networking.k8s.io/v1", "HTTPRoute", name) + json.dumps(spec) + "\n"


def test_values_of_headers_are_no_programs(sampan: Sampan) -> None:
    values = [{"name": f"x-{number}", "value": value} for number, value in enumerate(OPERATORS)]
    added = [{"name": f"y-{number}", "value": value} for number, value in enumerate(OPERATORS)]
    change = {"set": values, "add": added}
    with recording() as upstream:
        sampan.write(
            "all.yaml",
            joined(
                gateway(sampan.port),
                backend("one", upstream.port),
                ruled("in", {"type": "RequestHeaderModifier", "requestHeaderModifier": change}),
                ruled("out", {"type": "ResponseHeaderModifier", "responseHeaderModifier": change}),
            ),
        )
        sampan.start()
        sampan.until_answer(200, host="in.example")
        received = answer(sampan.port, "out.example")
        answer(sampan.port, "in.example")
        sent = upstream.heads[-1].decode("latin-1").split("\r\n")
    for lines in (sent, received):
        for number, value in enumerate(OPERATORS):
            assert f"x-{number}: {value}" in lines
            assert f"y-{number}: {value}" in lines
        assert not any(line.startswith("evil") for line in lines)
    assert sampan.diagnostics() == []


PATHS = ("/%25REQ(x-secret)%25", "/a%0d%0aevil:1", "/%41REQ(x-secret)%42", "/$1/(x)", "/a?b=c")


@pytest.mark.parametrize("kind", ["ReplaceFullPath", "ReplacePrefixMatch"])
def test_paths_are_no_programs(sampan: Sampan, kind: str) -> None:
    field = kind[0].lower() + kind[1:]
    documents = []
    for number, path in enumerate(PATHS):
        change: dict[str, object] = {"path": {"type": kind, field: path}}
        match = {"matches": [{"path": {"value": "/"}}]}
        rewritten = ruled(f"w{number}", {"type": "URLRewrite", "urlRewrite": change})
        moved = ruled(f"m{number}", {"type": "RequestRedirect", "requestRedirect": change}, backends=False)
        documents += [
            text.replace('"rules": [{', f'"rules": [{{{json.dumps(match)[1:-1]}, ') for text in (rewritten, moved)
        ]
    with recording() as upstream:
        sampan.write("all.yaml", joined(gateway(sampan.port), backend("one", upstream.port), *documents))
        sampan.start()
        sampan.until_answer(200, host="w0.example")
        for number, path in enumerate(PATHS):
            answer(sampan.port, f"w{number}.example")
            first = upstream.heads[-1].split(b"\r\n")[0].decode("latin-1")
            # The prefix '/' leaves the slash of the request behind.
            assert first.removesuffix(" HTTP/1.1").removesuffix("/") == f"GET {path}"
            assert b"evil:1\r\n" not in upstream.heads[-1]
            (location,) = [
                line for line in answer(sampan.port, f"m{number}.example") if line.lower().startswith("location:")
            ]
            assert location.removesuffix("/").endswith(f".example:{sampan.port}{path}")


BREAKS = ("a\r\nevil: 1", "a\nevil: 1", "a\x00b", "a\n", "a\r", "a\u0085b", "a\u2028b", "\x7f")


@pytest.mark.parametrize(
    "filters",
    [
        [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"add": [{"name": "@", "value": "x"}]}}],
        [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["@"]}}],
        [{"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [{"name": "x", "value": "@"}]}}],
        [{"type": "RequestRedirect", "requestRedirect": {"hostname": "@"}}],
        [
            {
                "type": "RequestRedirect",
                "requestRedirect": {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/@"}},
            }
        ],
        [{"type": "URLRewrite", "urlRewrite": {"hostname": "@"}}],
        [{"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/@"}}}],
        [{"type": "CORS", "cors": {"allowOrigins": ["http://@"]}}],
        [{"type": "CORS", "cors": {"allowHeaders": ["@"]}}],
        [{"type": "CORS", "cors": {"exposeHeaders": ["@"]}}],
    ],
    ids=lambda filters: json.dumps(filters)[10:70],
)
def test_no_field_lets_a_line_end_in(tmp_path: Path, filters: list[dict[str, object]]) -> None:
    from sampan.cli.reading import read  # in this process: eighty commands would take a minute

    for number, text in enumerate(BREAKS):
        given = json.loads(json.dumps(filters).replace("@", json.dumps(text)[1:-1]))
        redirect = filters[0]["type"] == "RequestRedirect"
        (tmp_path / f"{number}.yaml").write_text(ruled(f"r{number}", *given, backends=not redirect))
    found = read([str(tmp_path)])
    refused = {Path(item.origin.file).name for item in found.diagnostics if item.field[:2] == ("spec", "rules")}
    assert refused == {f"{number}.yaml" for number in range(len(BREAKS))}
