"""TLS on both sides: SNI, passthrough, clients' certificates, backends' certificates."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
from typing import Any

import pytest

from sampan.model.plan import (
    Certificate,
    Chain,
    ClientValidation,
    DownstreamTls,
    Entry,
    Forward,
    Host,
    HttpApplication,
    Match,
    Respond,
    Share,
    Socket,
    TcpApplication,
    TrustBundle,
    UpstreamTls,
)

pytestmark = pytest.mark.envoy

CLOSED = (ssl.SSLError, ConnectionError, OSError)


def client(authority: Any, pair: Any = None, **more: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority.bundle.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    if pair is not None:
        context.load_cert_chain(pair.chain_file, pair.key_file)
    for name, value in more.items():
        setattr(context, name, value)
    return context


def server(pair: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.chain_file, pair.key_file)
    return context


def get(port: int, name: str, context: ssl.SSLContext, host: str = "") -> tuple[int, bytes]:
    """Status and body over TLS with this SNI."""
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        context.wrap_socket(plain, server_hostname=name) as tls,
    ):
        tls.sendall(f"GET / HTTP/1.1\r\nhost: {host or name}\r\nconnection: close\r\n\r\n".encode())
        response = http.client.HTTPResponse(tls)
        response.begin()
        return response.status, response.read()


def https(shop: Any, name: str, status: int, names: tuple[str, ...], tls: DownstreamTls) -> Chain:
    entry = Entry(Match(), shop.action(name, Share(1, Respond(status))))
    return Chain(name, HttpApplication(name, (Host(name, "*", (entry,)),)), names, tls)


def one_socket(*chains: Chain) -> tuple[Socket, ...]:
    return (Socket("tls", 0, chains, ("127.0.0.1",), inspect_tls=True),)


def certificates(**pairs: Any) -> dict[str, Certificate]:
    return {name: Certificate(name, pair.chain, pair.key) for name, pair in pairs.items()}


def test_names(start: Any, shop: Any, authority: Any) -> None:
    """A chain for each name; wildcards; the one without a name for all others; a certificate for each."""
    ca = authority("authority")
    exact, wild, other = ca.pair("a.example.com"), ca.pair("*.example.com"), ca.pair("other.org")
    plan = shop.plan(
        sockets=one_socket(
            https(shop, "exact", 201, ("a.example.com",), DownstreamTls(("exact",))),
            https(shop, "wild", 202, ("*.example.com",), DownstreamTls(("wild",))),
            https(shop, "rest", 203, (), DownstreamTls(("other",))),
        ),
        certificates=certificates(exact=exact, wild=wild, other=other),
    )
    port = start(plan).ports["tls"]
    context = client(ca)
    found = [get(port, name, context)[0] for name in ("a.example.com", "b.example.com", "other.org")]
    assert found == [201, 202, 203]
    h2 = client(ca)
    h2.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        h2.wrap_socket(plain, server_hostname="other.org") as tls,
    ):
        assert tls.selected_alpn_protocol() == "h2"


def test_unknown_name_is_closed(start: Any, shop: Any, authority: Any) -> None:
    ca = authority("authority")
    plan = shop.plan(
        sockets=one_socket(https(shop, "exact", 201, ("a.example.com",), DownstreamTls(("exact",)))),
        certificates=certificates(exact=ca.pair("a.example.com", "b.example.com")),
    )
    port = start(plan).ports["tls"]
    assert get(port, "a.example.com", client(ca))[0] == 201
    with pytest.raises(CLOSED):
        get(port, "b.example.com", client(ca))


def test_versions(start: Any, shop: Any, authority: Any) -> None:
    ca = authority("authority")
    tls = DownstreamTls(("exact",), minimum_version="1.3")
    plan = shop.plan(
        sockets=one_socket(https(shop, "exact", 201, (), tls)),
        certificates=certificates(exact=ca.pair("a.example.com")),
    )
    port = start(plan).ports["tls"]
    assert get(port, "a.example.com", client(ca))[0] == 201
    with pytest.raises(CLOSED):
        get(port, "a.example.com", client(ca, maximum_version=ssl.TLSVersion.TLSv1_2))


@pytest.mark.parametrize("required", [True, False])
def test_client_certificates(start: Any, shop: Any, authority: Any, required: bool) -> None:
    """Required: one of the authorities'. Not required: anyone's or none (AllowInsecureFallback)."""
    ca, clients, more, strangers = (authority(name) for name in ("authority", "clients", "more", "strangers"))
    tls = DownstreamTls(("exact",), ClientValidation(("clients", "more"), required))
    plan = shop.plan(
        sockets=one_socket(https(shop, "exact", 201, (), tls)),
        certificates=certificates(exact=ca.pair("a.example.com")),
        trust={"clients": TrustBundle("clients", clients.bundle), "more": TrustBundle("more", more.bundle)},
    )
    port = start(plan).ports["tls"]
    for trusted in (clients, more):
        assert get(port, "a.example.com", client(ca, trusted.pair("user")))[0] == 201
    for refused in (None, strangers.pair("user")):
        if required:
            with pytest.raises(CLOSED):
                get(port, "a.example.com", client(ca, refused))
        else:
            assert get(port, "a.example.com", client(ca, refused))[0] == 201


def test_passthrough(start: Any, backend: Any, shop: Any, authority: Any) -> None:
    """The backend's own certificate is seen; what is not TLS does not pass."""
    ca = authority("authority")
    shop.upstream("a", backend("a", context=server(ca.pair("a.example.com"))).endpoint, protocol="tcp")
    chain = Chain("pass", TcpApplication("pass", (Share(1, Forward("a")),)), ("a.example.com",))
    anyone = Chain("any", TcpApplication("any", (Share(1, Forward("a")),)))
    port = start(shop.plan(sockets=one_socket(chain, anyone)), shop.groups).ports["tls"]
    assert get(port, "a.example.com", client(ca))[0] == 200
    with socket.create_connection(("127.0.0.1", port), 10) as plain, contextlib.suppress(ConnectionResetError):
        plain.sendall(b"GET / HTTP/1.1\r\nhost: a.example.com\r\n\r\n")
        assert plain.recv(1000) == b""


@pytest.mark.parametrize(
    ("sni", "names", "trust", "status"),
    [
        ("a.example.com", (), "right", 200),
        ("a.example.com", (("dns", "b.example.com"), ("dns", "a.example.com")), "right", 200),
        ("x.wild.example.com", (), "right", 200),
        ("other.example.com", (), "right", 503),
        ("a.example.com", (("uri", "spiffe://x/y"),), "right", 503),
        ("a.example.com", (), "wrong", 503),
        ("a.example.com", (), "", 503),
    ],
)
def test_upstream(
    start: Any, backend: Any, shop: Any, authority: Any, sni: str, names: Any, trust: str, status: int
) -> None:
    """A backend's certificate must be of the authorities and for one of the names; no bundle: the system's trust."""
    ca = authority("authority")
    pair = ca.pair("a.example.com", "*.wild.example.com")
    tls = UpstreamTls(sni, (trust,) if trust else (), names)
    shop.upstream("a", backend("a", context=server(pair)).endpoint, tls=tls)
    bundles = {"right": TrustBundle("right", ca.bundle), "wrong": TrustBundle("wrong", authority("wrong").bundle)}
    plan = shop.plan(Entry(Match(), shop.action("rule", Share(1, Forward("a")))), trust=bundles)
    assert start(plan, shop.groups).request("/").status == status


def test_upstream_with_client_certificate(start: Any, backend: Any, shop: Any, authority: Any) -> None:
    ca, clients = authority("authority"), authority("clients")
    context = server(ca.pair("a.example.com"))
    context.load_verify_locations(cadata=clients.bundle.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    endpoint = backend("a", context=context).endpoint
    shop.upstream("with", endpoint, tls=UpstreamTls("a.example.com", ("right",), certificate="own"))
    shop.upstream("without", endpoint, tls=UpstreamTls("a.example.com", ("right",)))
    plan = shop.plan(
        hosts=tuple(
            Host(name, f"{name}.org", (Entry(Match(), shop.action(name, Share(1, Forward(name)))),))
            for name in ("with", "without")
        ),
        certificates=certificates(own=clients.pair("gateway")),
        trust={"right": TrustBundle("right", ca.bundle)},
    )
    envoy = start(plan, shop.groups)
    assert envoy.request("/", host="with.org").status == 200
    assert envoy.request("/", host="without.org").status == 503
