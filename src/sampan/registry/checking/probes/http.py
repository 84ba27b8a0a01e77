"""HTTP: 2xx is passing, 429 a warning, all else critical. A new connection each time, as Consul has it: one that is
kept could outlive the service's way of being reachable.
"""

from __future__ import annotations

import ssl

import aiohttp
from multidict import CIMultiDict

from sampan.registry import outputs
from sampan.registry.checking.outcome import Outcome, critical
from sampan.registry.checking.probes import places
from sampan.registry.place import Address
from sampan.registry.rows import DefinitionRow, Status

USER_AGENT = "Consul Health Check"  # services tell checks from requests by it
ACCEPT = "text/plain, text/*, */*"
# Read this far to find the end of what the service says; a body without an end is not followed.
MOST_READ = 1 << 20
_MOST_REDIRECTS = 10


class HttpProbe:
    """The client is made at the first look."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def probe(self, definition: DefinitionRow) -> Outcome:
        method, target = definition.get("Method") or "GET", definition["HTTP"]
        try:
            async with self._request(method, target, definition) as response:
                output = await _body(response, outputs.largest(definition))
                words = f"HTTP {method} {target}: {response.status} {response.reason} Output: {output}"
                return Outcome(_status(response.status), words)
        except TimeoutError:
            failure = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        except aiohttp.ClientConnectorError as error:
            failure = places.dial_failure("tcp", str(Address(error.host, error.port or 0)), _inner(error))
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            failure = "it is no URL of HTTP, such as http://127.0.0.1:8080/health"
        except aiohttp.ClientOSError as error:
            failure = places.reason(error).replace("connect:", "read:")
        except aiohttp.ServerDisconnectedError:
            failure = "EOF"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = str(error) or type(error).__name__
        return critical(f'{method.capitalize()} "{target}": {failure}')

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _request(self, method: str, target: str, definition: DefinitionRow) -> aiohttp.client._RequestContextManager:
        if self._session is None:
            connector = aiohttp.TCPConnector(force_close=True, limit=0, use_dns_cache=False)
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=True
            )
        name = definition.get("TLSServerName")
        return self._session.request(
            method,
            target,
            data=(definition.get("Body") or "").encode() or None,
            headers=_headers(definition),
            skip_auto_headers=("Content-Type",),
            ssl=_tls(definition),
            server_hostname=name or None,
            allow_redirects=not definition.get("DisableRedirects", False),
            max_redirects=_MOST_REDIRECTS,
            timeout=aiohttp.ClientTimeout(total=places.seconds(definition)),
        )


def _tls(definition: DefinitionRow) -> ssl.SSLContext | bool:
    if not definition["HTTP"].lower().startswith("https"):
        return True
    return places.tls(verify=not definition.get("TLSSkipVerify", False))


def _headers(definition: DefinitionRow) -> CIMultiDict[str]:
    headers: CIMultiDict[str] = CIMultiDict()
    for name, values in definition.get("Header", {}).items():
        for value in values:
            headers.add(name, value)
    headers.setdefault("User-Agent", USER_AGENT)
    headers.setdefault("Accept", ACCEPT)
    headers.setdefault("Accept-Encoding", "gzip")
    headers.setdefault("Connection", "close")
    return headers


async def _body(response: aiohttp.ClientResponse, largest: int) -> str:
    """Its end, as Consul's ring of bytes has it."""
    kept, read = b"", 0
    try:
        async for chunk in response.content.iter_any():
            kept = (kept + chunk)[-largest:]
            read += len(chunk)
            if read >= MOST_READ:
                break
    except (aiohttp.ClientError, TimeoutError, OSError):
        pass  # the status was there, and it is what counts
    return kept.decode(errors="replace")


def _status(code: int) -> Status:
    if 200 <= code <= 299:
        return "passing"
    return "warning" if code == 429 else "critical"


def _inner(error: aiohttp.ClientConnectorError) -> Exception:
    inner = error.os_error
    certificate = getattr(error, "certificate_error", None)
    return certificate if isinstance(certificate, Exception) else inner
