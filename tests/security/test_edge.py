"""What clients send: routed by what the upstream will see, and believed only as far as it can be checked."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from ..daemon.conftest import Sampan, backend, gateway, joined, route
from .test_wire import Recorder, recording

pytestmark = pytest.mark.envoy


class Edge:
    """A gateway whose `/admin` goes to one upstream and everything else to another."""

    def __init__(self, sampan: Sampan, admin: Recorder, shop: Recorder) -> None:
        self.port, self.admin, self.shop = sampan.port, admin, shop

    def send(self, request: bytes) -> tuple[int, str, list[str]]:
        """Status, which upstream got it ("" for none), and the lines of the head that it got."""
        before = (len(self.admin.heads), len(self.shop.heads))
        status = self._status(request)
        for name, upstream, count in (("admin", self.admin, before[0]), ("shop", self.shop, before[1])):
            if len(upstream.heads) > count:
                return status, name, upstream.heads[-1].decode("latin-1").split("\r\n")
        return status, "", []

    def _status(self, request: bytes) -> int:
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection:
            connection.sendall(request)
            with connection.makefile("rb") as file:
                return int(file.readline().split()[1])

    def get(self, target: str, *headers: str, host: str = "shop.example") -> tuple[int, str, list[str]]:
        lines = [f"GET {target} HTTP/1.1", f"host: {host}", *headers, "", ""]
        return self.send("\r\n".join(lines).encode("latin-1"))


@pytest.fixture
def edge(sampan: Sampan) -> Iterator[Edge]:
    with recording() as admin, recording() as shop:
        documents = (backend("admin", admin.port), backend("shop", shop.port))
        routes = (route("shop", {"shop": 1}), route("admin", {"admin": 1}, path="/admin"))
        sampan.write("all.yaml", joined(gateway(sampan.port), *documents, *routes))
        sampan.start()
        sampan.until_answer(200)
        yield Edge(sampan, admin, shop)


ROUNDABOUT = (
    "//admin",
    "/./admin",
    "/a/../admin",
    "/../../admin",
    "/%61dmin",
    "/a/%2e%2e/admin",
    "/a/%2E%2e/admin",
    "/a/..;/admin",
    "/\\admin",
    "/a\\..\\admin",
    "http://shop.example/admin",
)


def test_no_detour_leads_past_the_rule_of_a_path(edge: Edge) -> None:
    """What the upstream would take for `/admin` is `/admin` for the routes too, and is sent on as that."""
    for path in ROUNDABOUT:
        status, upstream, lines = edge.get(path)
        assert (path, status, upstream, lines[0]) == (path, 200, "admin", "GET /admin HTTP/1.1")
    assert edge.get("/admin/..")[1:] == ("shop", edge.shop.heads[-1].decode().split("\r\n"))
    assert edge.get("/a?next=/../admin")[1] == "shop", "a query is no path"
    assert edge.get("/admin?next=/../x")[2][0] == "GET /admin?next=/../x HTTP/1.1"


def test_an_escaped_slash_is_no_slash_and_stays_escaped(edge: Edge) -> None:
    for path in ("/admin%2fx", "/a%2F..%2Fadmin", "/%5cadmin"):
        status, upstream, lines = edge.get(path)
        assert (status, upstream, lines[0]) == (200, "shop", f"GET {path} HTTP/1.1")


def test_what_is_no_path_gets_no_further(edge: Edge) -> None:
    for target in ("/%00", "/a#b", "*", "\\admin", "/caf\xe9"):
        assert edge.get(target)[:2] == (400, ""), target


def test_hosts_are_compared_without_port_case_and_last_dot(edge: Edge) -> None:
    for host in ("shop.example:8080", "SHOP.example", "shop.example.", "shop.example.:80"):
        assert edge.get("/", host=host)[:2] == (200, "shop"), host
    for host in ("other.example", "shop.example@other", "xshop.example", "[::1]", "shop.example, other.example"):
        assert edge.get("/", host=host)[1] == "", host
    for head in (b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nhost: a\x00\r\n\r\n"):
        assert edge.send(head)[:2] == (400, "")
    # What the request line names counts (RFC 9112, 3.2.2).
    assert edge.get("http://other.example/")[:2] == (404, "")


def test_what_a_client_says_of_itself_is_not_believed(edge: Edge) -> None:
    claims = {
        "x-forwarded-for": "1.2.3.4",
        "x-forwarded-proto": "https",
        "x-request-id": "mine",
        "x-envoy-original-path": "/x",
        "x-envoy-upstream-rq-timeout-ms": "1",
        "x-envoy-retry-on": "5xx",
        "x-envoy-internal": "true",
        "x-envoy-external-address": "1.2.3.4",
        "x_user": "root",
    }
    status, _, lines = edge.get("/", *(f"{name}: {value}" for name, value in claims.items()))
    assert status == 200
    sent = dict(line.split(": ", 1) for line in lines[1:] if line)
    assert sent.pop("x-forwarded-for").startswith("1.2.3.4,"), "our own address comes last: the one to be believed"
    assert sent.pop("x-forwarded-proto") == "http"
    assert sent.pop("x-request-id") != "mine"
    assert sent.pop("x-envoy-external-address") == "127.0.0.1"
    assert not sent.keys() & claims.keys()


def test_requests_that_two_servers_would_read_differently_are_refused(edge: Edge) -> None:
    """Request smuggling (RFC 9112, 11.2)."""
    head = b"POST / HTTP/1.1\r\nhost: shop.example\r\n"
    both = b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
    for rest in (
        both,
        b"content-length: 5\r\ncontent-length: 6\r\n\r\nabcdef",
        b"content-length: +5\r\n\r\nabcde",
        b"content-length : 5\r\n\r\nabcde",
        b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
        b"x: a\x00b\r\n\r\n",
    ):
        status, upstream, _ = edge.send(head + rest)
        assert (status, upstream) in ((400, ""), (501, "")), rest
    # Envoy leaves out a CR that ends no line: the upstream cannot take it for an end either.
    status, upstream, lines = edge.send(head + b"x: a\rcontent-length: 5\r\ncontent-length: 0\r\n\r\n")
    assert (status, upstream) == (200, "shop")
    assert "x: acontent-length: 5" in lines
    assert not any("\r" in line for line in lines)


def test_heads_have_a_limit(edge: Edge) -> None:
    assert edge.get("/", *(f"x-{number}: {'v' * 1000}" for number in range(55)))[0] == 200
    assert edge.get("/", *(f"x-{number}: {'v' * 1000}" for number in range(65)))[:2] == (431, "")
    assert edge.get("/", *(f"x-{number}: v" for number in range(101)))[:2] == (431, "")
    assert edge.get("/" + "x" * 70_000)[:2] == (431, "")


def test_a_slow_client_holds_up_nobody_else(edge: Edge) -> None:
    """That it is cut off after a minute is the stream's idle timeout, which is in every golden."""
    with socket.create_connection(("127.0.0.1", edge.port), 10) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nhost: shop")
        began = time.monotonic()
        for _ in range(20):
            assert edge.get("/")[:2] == (200, "shop")
        assert time.monotonic() - began < 5
        slow.sendall(b".example\r\n\r\n")
        assert slow.recv(1000).startswith(b"HTTP/1.1 200")
