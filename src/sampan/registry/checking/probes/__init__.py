"""One look at a service, a module a kind: `async (definition) -> Outcome`. `Probes` knows which."""

from __future__ import annotations

from sampan.registry.checking.outcome import Outcome, critical
from sampan.registry.checking.probes import h2ping, tcp, udp
from sampan.registry.checking.probes.http import HttpProbe
from sampan.registry.rows import DefinitionRow


class Probes:
    """What is kept between looks: the HTTP client. Nothing is connected between looks."""

    def __init__(self) -> None:
        self._http = HttpProbe()

    async def probe(self, definition: DefinitionRow) -> Outcome:
        """The kind in Consul's order, as in the check's `Type`."""
        if definition.get("GRPC"):
            # Not before there is such a check: it is a third of this process' memory.
            from sampan.registry.checking.probes import grpc

            return await grpc.probe(definition)
        if definition.get("HTTP"):
            return await self._http.probe(definition)
        if definition.get("TCP"):
            return await tcp.probe(definition)
        if definition.get("UDP"):
            return await udp.probe(definition)
        if definition.get("H2PING"):
            return await h2ping.probe(definition)
        return critical("Check type is not valid")

    async def close(self) -> None:
        await self._http.close()
