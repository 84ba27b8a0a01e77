"""What a server says of itself: its datacentre, and how many connections it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.consul.client import Client
from sampan.consul.errors import GarbageError, RefusedError
from sampan.consul.wire import path

DEFAULT_LIMIT = 200
"""Consul's default of `limits.http_max_conns_per_client`."""


@dataclass(frozen=True, slots=True)
class Facts:
    """`node` is the agent's own, "" if it does not say."""

    datacenter: str
    limit: int = DEFAULT_LIMIT
    node: str = ""


async def ask(client: Client) -> Facts:
    """Raises a ConsulError if it cannot be asked. A token without `agent:read` is enough, and so is
    a proxy that lets only the catalogue through."""
    try:
        answer = await client.get(path("agent", "self"))
    except RefusedError as error:
        if error.limited:
            raise
        datacenters = (await client.get(path("catalog", "datacenters"))).body
        if not isinstance(datacenters, list) or not datacenters:
            raise GarbageError("the list of datacentres is none") from None
        return Facts(str(datacenters[0]))  # the nearest comes first
    return read(answer.body)


def read(body: Any) -> Facts:
    """The answer of `/v1/agent/self`."""
    if not isinstance(body, Mapping):
        raise GarbageError("/v1/agent/self: the answer is none of Consul's; is this its HTTP port?")
    config, debug = body.get("Config"), body.get("DebugConfig")
    datacenter = config.get("Datacenter") if isinstance(config, Mapping) else None
    limit = debug.get("HTTPMaxConnsPerClient") if isinstance(debug, Mapping) else None
    if not isinstance(datacenter, str) or not datacenter:
        raise GarbageError("/v1/agent/self: it names no datacentre; is this Consul's HTTP port?")
    known = isinstance(limit, int) and not isinstance(limit, bool) and limit >= 0
    return Facts(
        datacenter,
        int(limit) if known else DEFAULT_LIMIT,  # type: ignore[arg-type]
        str(config.get("NodeName") or "") if isinstance(config, Mapping) else "",
    )
