"""`/v1/status`: who leads. There is one of us, so we do."""

from __future__ import annotations

from sampan.registry.api.application import Route
from sampan.registry.api.question import Question
from sampan.registry.registry import Registry

# Consul's server port; nothing listens there, but clients take the answer for "there is a leader".
_SERVER_PORT = 8300


async def leader(registry: Registry, _: Question) -> str:
    return f"{registry.identity.address}:{_SERVER_PORT}"


async def peers(registry: Registry, question: Question) -> list[str]:
    return [await leader(registry, question)]


ROUTES = (Route("GET", "/v1/status/leader", leader), Route("GET", "/v1/status/peers", peers))
