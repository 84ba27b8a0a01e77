"""gRPC: grpc.health.v1 of a server (`host:port`) or of one service (`host:port/service`): passing if SERVING.

The two messages have a field each and are written by hand: https://github.com/grpc/grpc/blob/master/doc/health-checking.md
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import grpc
from cryptography import x509
from grpc import aio

from sampan.registry.checking.outcome import Outcome, critical, passing
from sampan.registry.checking.probes import places
from sampan.registry.rows import DefinitionRow

_METHOD = "/grpc.health.v1.Health/Check"
_SERVING = b"\x08\x01"
_UNHEALTHY = "gRPC application didn't report service healthy"
# A look has a connection of its own, which nobody shares or keeps.
_OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0))


async def probe(definition: DefinitionRow) -> Outcome:
    target = definition["GRPC"]
    place, _, service = target.partition("/")
    timeout = places.seconds(definition)
    try:
        async with asyncio.timeout(timeout + 1), await _channel(place, definition) as channel:
            check: Any = channel.unary_unary(_METHOD)
            response: bytes = await check(_request(service), timeout=timeout)
    except aio.AioRpcError as error:
        return critical(f"rpc error: code = {_code(error.code())} desc = {error.details()}")
    except TimeoutError:
        return critical("rpc error: code = DeadlineExceeded desc = context deadline exceeded")
    except (OSError, ValueError) as error:
        return critical(places.dial_failure("tcp", place, error))
    return passing(f"gRPC check {target}: success") if response.startswith(_SERVING) else critical(_UNHEALTHY)


def _request(service: str) -> bytes:
    """`string service = 1`."""
    raw = service.encode()
    if not raw:
        return b""
    length = bytearray()
    size = len(raw)
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    length.append(size)
    return b"\x0a" + bytes(length) + raw


async def _channel(place: str, definition: DefinitionRow) -> aio.Channel:
    places.host_and_port(place)
    if not definition.get("GRPCUseTLS"):
        return aio.insecure_channel(place, options=_OPTIONS)
    name = definition.get("TLSServerName")
    if not definition.get("TLSSkipVerify"):
        named = (("grpc.ssl_target_name_override", name),) if name else ()
        return aio.secure_channel(place, grpc.ssl_channel_credentials(), options=(*_OPTIONS, *named))
    # gRPC for Python cannot leave the certificate unverified: whichever one the server shows is the one to trust.
    shown = await _certificate(place)
    named = (("grpc.ssl_target_name_override", _name(shown)),)
    return aio.secure_channel(place, grpc.ssl_channel_credentials(shown), options=(*_OPTIONS, *named))


async def _certificate(place: str) -> bytes:
    host, port = places.host_and_port(place)
    context = places.tls_for_http2(verify=False)
    _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host)
    try:
        whole: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return ssl.DER_cert_to_PEM_cert(whole.getpeercert(binary_form=True) or b"").encode()
    finally:
        writer.close()


def _name(certificate: bytes) -> str:
    """One that the certificate is for."""
    read = x509.load_pem_x509_certificate(certificate)
    try:
        names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return "localhost"
    found = [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]
    return found[0] if found else "localhost"


def _code(code: grpc.StatusCode) -> str:
    """As Go writes it: `DeadlineExceeded`."""
    return "".join(word.capitalize() for word in code.name.split("_"))
