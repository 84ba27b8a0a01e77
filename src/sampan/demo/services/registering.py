"""How a service gets into the registry and out of it: with Consul's HTTP API, as any service anywhere would."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sampan.demo.client import Client
from sampan.demo.wire import MalformedMessageError

if TYPE_CHECKING:
    from sampan.demo.services.running import Identity

HEALTH = "/health"
FIRST_PAUSE, LAST_PAUSE = 0.1, 2.0  # seconds between attempts
PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class Registration:
    """One instance. Its id is the instance's name: another process in the same role takes its place."""

    identity: Identity
    host: str
    port: int
    protocol: str

    @property
    def body(self) -> dict[str, Any]:
        """https://developer.hashicorp.com/consul/api-docs/agent/service#register-service. It listens already, so it
        begins as passing; the registry itself looks every second whether that is still so."""
        who = self.identity
        return {
            "Name": who.service,
            "ID": who.instance,
            "Address": self.host,
            "Port": self.port,
            "Meta": {"version": who.version, "protocol": self.protocol, "pid": str(who.pid)},
            "Check": {
                **self._asked,
                "Interval": "1s",
                "Timeout": "1s",
                "Status": "passing",
                "DeregisterCriticalServiceAfter": "1m",
            },
        }

    @property
    def _asked(self) -> dict[str, str]:
        place = f"{self.host}:{self.port}"
        return {"http": {"HTTP": f"http://{place}{HEALTH}"}, "grpc": {"GRPC": place}}.get(self.protocol, {"TCP": place})

    async def register(self, registry: str) -> None:
        """Tries until it is told that it is in."""
        pause = FIRST_PAUSE
        while not await _put(registry, "/v1/agent/service/register", json.dumps(self.body).encode()):
            await asyncio.sleep(pause)
            pause = min(2 * pause, LAST_PAUSE)

    async def deregister(self, registry: str) -> None:
        """Once: of who goes without a word the registry learns by its check."""
        await _put(registry, f"/v1/agent/service/deregister/{self.identity.instance}")


async def _put(registry: str, path: str, body: bytes = b"") -> bool:
    """Whether the registry took it."""
    host, _, port = registry.rpartition(":")
    headers = {"content-type": "application/json", "x-consul-token": os.environ.get("SAMPAN_REGISTRY_TOKEN", "")}
    with suppress(OSError, MalformedMessageError, TimeoutError):
        async with Client(host.strip("[]"), int(port), registry, PATIENCE) as client:
            answer = await client.request("PUT", path, {name: value for name, value in headers.items() if value}, body)
            return answer.status == 200
    return False
