"""What probes have in common: where to, how long, with which TLS; and failures in Go's words, which users know."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from sampan.registry.rows import DefinitionRow

DEFAULT_SECONDS = 10.0

_WORDS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset by peer",
    errno.EHOSTUNREACH: "no route to host",
    errno.ENETUNREACH: "network is unreachable",
}


def seconds(definition: DefinitionRow) -> float:
    return definition.get("Timeout") or DEFAULT_SECONDS


def host_and_port(place: str) -> tuple[str, int]:
    """Raises ValueError in Go's words."""
    host, colon, port = place.rpartition(":")
    if not colon:
        raise ValueError(f"address {place}: missing port in address")
    if ":" in host and not host.startswith("["):
        raise ValueError(f"address {place}: too many colons in address")
    if not port.isascii() or not port.isdigit() or int(port) > 0xFFFF:
        raise ValueError(f"address {place}: invalid port")
    return host.strip("[]") or "127.0.0.1", int(port)


async def addresses(host: str, port: int, kind: socket.SocketKind) -> Sequence[tuple[socket.AddressFamily, Any]]:
    """Most hosts are addresses, for which no thread need look anything up. Raises OSError."""
    if (family := _family(host)) is not None:
        return [(family, (host, port))]
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=kind)
    return [(each, address) for each, *_, address in found]


@lru_cache(4096)
def _family(host: str) -> socket.AddressFamily | None:
    if "%" in host:
        return None  # its zone is the resolver's to understand
    try:
        return socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET
    except ValueError:
        return None


def dial_failure(network: str, place: str, error: Exception) -> str:
    return f"dial {network} {place}: {reason(error)}"


def reason(error: Exception) -> str:
    match error:
        case TimeoutError():
            return "i/o timeout"
        case socket.gaierror():
            return "no such host"
        case ssl.SSLCertVerificationError():
            return f"x509: {error.verify_message}"
        case ssl.SSLError():
            return f"tls: {error.reason or error}"
        case OSError() if error.errno:
            return f"connect: {_WORDS.get(error.errno, os.strerror(error.errno).lower())}"
        case _:
            return str(error)


@lru_cache(2)
def tls(*, verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@lru_cache(2)
def tls_for_http2(*, verify: bool) -> ssl.SSLContext:
    context = tls.__wrapped__(verify=verify)
    context.set_alpn_protocols(["h2"])
    return context
