"""TCP: passing if it can be connected to; with TCPUseTLS, if TLS can be spoken too."""

from __future__ import annotations

import asyncio
import socket

from sampan.registry.checking.outcome import Outcome, critical, passing
from sampan.registry.checking.probes import places
from sampan.registry.rows import DefinitionRow


async def probe(definition: DefinitionRow) -> Outcome:
    place = definition["TCP"]
    try:
        host, port = places.host_and_port(place)
        async with asyncio.timeout(places.seconds(definition)):
            if definition.get("TCPUseTLS"):
                await _greet(host, port, definition)
            else:
                await _connect(host, port)
    except (OSError, ValueError) as error:
        return critical(places.dial_failure("tcp", place, error))
    return passing(f"TCP connect {place}: Success")


async def _connect(host: str, port: int) -> None:
    """By a bare socket: asyncio's streams would be most of the cost. Raises OSError if no address takes it."""
    loop = asyncio.get_running_loop()
    failure: OSError = OSError("no such host")
    for family, address in await places.addresses(host, port, socket.SOCK_STREAM):
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.setblocking(False)
            try:
                await loop.sock_connect(connection, address)
            except TimeoutError:
                raise
            except OSError as error:
                failure = error
            else:
                return
    raise failure


async def _greet(host: str, port: int, definition: DefinitionRow) -> None:
    context = places.tls(verify=not definition.get("TLSSkipVerify", False))
    name = definition.get("TLSServerName") or host
    transport, _ = await asyncio.get_running_loop().create_connection(
        asyncio.Protocol, host, port, ssl=context, server_hostname=name
    )
    transport.close()
