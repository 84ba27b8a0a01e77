"""Who this registry says it is: the one node and datacentre that it stands for."""

from __future__ import annotations

from dataclasses import dataclass, field

# What clients that look at the version are told: the answers follow the API of this one, to which they are compared.
VERSION = "1.8.7"


@dataclass(frozen=True, slots=True)
class Identity:
    """`node_id` is a UUID that stays over restarts. `token` "" asks for none."""

    node: str
    node_id: str
    address: str = "127.0.0.1"
    datacenter: str = "dc1"
    http_port: int = 8500
    dns_port: int = 8600
    token: str = field(default="", repr=False)
