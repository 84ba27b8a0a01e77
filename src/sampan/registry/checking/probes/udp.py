"""UDP: an empty datagram. Critical if the kernel says that nobody is there; an answer, or silence, is passing."""

from __future__ import annotations

import asyncio
from typing import Any

from sampan.registry.checking.outcome import Outcome, critical, passing
from sampan.registry.checking.probes import places
from sampan.registry.rows import DefinitionRow


async def probe(definition: DefinitionRow) -> Outcome:
    place = definition["UDP"]
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[None] = loop.create_future()
    try:
        host, port = places.host_and_port(place)
        transport, _ = await loop.create_datagram_endpoint(lambda: _Look(answered), remote_addr=(host, port))
    except (OSError, ValueError) as error:
        return critical(places.dial_failure("udp", place, error))
    try:
        transport.sendto(b"")
        async with asyncio.timeout(places.seconds(definition)):
            await answered
    except TimeoutError:
        pass
    except OSError as error:
        return critical(f"read udp {place}: {places.reason(error).replace('connect:', 'read:')}")
    finally:
        transport.close()
    return passing(f"UDP connect {place}: Success")


class _Look(asyncio.DatagramProtocol):
    def __init__(self, answered: asyncio.Future[None]) -> None:
        self._answered = answered

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if not self._answered.done():
            self._answered.set_result(None)

    def error_received(self, exc: Exception) -> None:
        if not self._answered.done():
            self._answered.set_exception(exc)
