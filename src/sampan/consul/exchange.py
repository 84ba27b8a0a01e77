"""Single steps of an HTTP exchange: no second try by itself, bounded bodies, JSON, and reasons in words."""

from __future__ import annotations

import json
import os
import ssl
from typing import Any

import aiohttp

from sampan.consul.errors import GarbageError

LARGEST_ANSWER = 128 * 1024 * 1024
# How OpenSSL names the alerts of a server that got no client certificate, or one that it does not take (RFC 8446, 6.2).
_CLIENT_ALERTS = (
    "ALERT_BAD_CERTIFICATE",
    "ALERT_CERTIFICATE_REQUIRED",
    "ALERT_UNKNOWN_CA",
    "ALERT_CERTIFICATE_UNKNOWN",
)
_CLOSED = "the connection was closed before the answer"


class _LostError(OSError):
    """A connection that broke before the answer, told to nobody but us."""


async def once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """aiohttp asks a second time by itself when a connection breaks. A write must not be there twice, and a blocking
    query must not wait, with the index of the server that went away, for one that begins anew."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
        raise _LostError(_CLOSED) from None


async def bounded(response: aiohttp.ClientResponse, path: str) -> bytes:
    parts, size = [], 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > LARGEST_ANSWER:
            response.close()
            raise GarbageError(f"{path}: an answer of more than {LARGEST_ANSWER} bytes")
        parts.append(part)
    return b"".join(parts)


def decoded(body: bytes, status: int, path: str) -> Any:
    """Reads and writes answer JSON or nothing, and 404 a word."""
    if status == 404 or not body.strip():
        return None
    try:
        found = json.loads(body)
        if b"\\ud" in body or b"\\uD" in body:
            # Half of a surrogate pair is no text that could go on to Envoy or to a disk.
            found = json.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
        return found
    except (ValueError, RecursionError):
        raise GarbageError(f"{path}: the answer is no JSON; is this Consul's HTTP port?") from None


def reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not accepted ({error.certificate_error})"
    if any(alert in str(error).upper() for alert in _CLIENT_ALERTS):
        return "it wants a client certificate that it accepts: name one with CONSUL_CLIENT_CERT and CONSUL_CLIENT_KEY"
    if isinstance(error, aiohttp.ClientConnectorError):
        if isinstance(error.os_error, ssl.SSLError):  # its errno is none of the system's
            return f"TLS is not agreed on ({error.os_error.reason or error.os_error}): is it plain http:// there?"
        return os.strerror(error.os_error.errno) if error.os_error.errno else str(error.os_error)
    if isinstance(error, ConnectionError) and error.errno:
        return os.strerror(error.errno)
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return _CLOSED
    if isinstance(error, aiohttp.ClientResponseError):
        return f"what answers there does not speak HTTP/1.1 ({error.message.splitlines()[0] if error.message else ''})"
    return str(error) or type(error).__name__
