"""UDP: an empty datagram. Critical if the kernel says that nobody is there; an answer, or silence, is passing."""

from __future__ import annotations

import asyncio
import socket

from sampan.registry.checking.outcome import Outcome, critical, passing
from sampan.registry.checking.probes import places
from sampan.registry.rows import DefinitionRow


async def probe(definition: DefinitionRow) -> Outcome:
    place = definition["UDP"]
    try:
        await _look(*places.host_and_port(place), places.seconds(definition))
    except (OSError, ValueError) as error:
        return critical(places.dial_failure("udp", place, error))
    return passing(f"UDP connect {place}: Success")


async def _look(host: str, port: int, seconds: float) -> None:
    """Raises OSError."""
    loop = asyncio.get_running_loop()
    family, address = (await places.addresses(host, port, socket.SOCK_DGRAM))[0]
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.setblocking(False)
        asking.connect(address)
        asking.send(b"")
        try:
            async with asyncio.timeout(seconds):
                await loop.sock_recv(asking, 1)
        except TimeoutError:
            return
