"""TCP: passing if it can be connected to; with TCPUseTLS, if TLS can be spoken too."""

from __future__ import annotations

import asyncio

from sampan.registry.checking.outcome import Outcome, critical, passing
from sampan.registry.checking.probes import places
from sampan.registry.rows import DefinitionRow


async def probe(definition: DefinitionRow) -> Outcome:
    place = definition["TCP"]
    context = places.tls(verify=not definition.get("TLSSkipVerify", False)) if definition.get("TCPUseTLS") else None
    try:
        host, port = places.host_and_port(place)
        name = definition.get("TLSServerName") or host if context is not None else None
        async with asyncio.timeout(places.seconds(definition)):
            transport, _ = await asyncio.get_running_loop().create_connection(
                asyncio.Protocol, host, port, ssl=context, server_hostname=name
            )
    except (OSError, ValueError) as error:
        return critical(places.dial_failure("tcp", place, error))
    transport.close()
    return passing(f"TCP connect {place}: Success")
