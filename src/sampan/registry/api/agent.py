"""`/v1/agent`: who answers, how it does, and what an agent of one machine alone makes of joining and leaving."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from sampan.registry import agent
from sampan.registry.api.agent_services import switched_on
from sampan.registry.api.answer import RefusalError, done
from sampan.registry.api.application import Route
from sampan.registry.api.question import Question
from sampan.registry.identity import VERSION, Identity
from sampan.registry.machine import described
from sampan.registry.registry import Registry

# By which one who asks a strange port learns what answers there.
REVISION = "sampan"
_SERF_PORT, _SERVER_PORT = 8301, 8300
# Clients that watch thousands of services look at it to know how many connections they may have; there is no limit.
_CONNECTIONS = 8192


async def this(registry: Registry, _: Question) -> dict[str, Any]:
    own, catalog = registry.identity, registry.catalog
    return {
        "Config": {
            "Datacenter": own.datacenter,
            "NodeName": own.node,
            "NodeID": own.node_id,
            "Revision": REVISION,
            "Server": True,
            "Version": VERSION,
        },
        "DebugConfig": {
            "Datacenter": own.datacenter,
            "NodeName": own.node,
            "NodeID": own.node_id,
            "Version": VERSION,
            "Revision": REVISION,
            "ServerMode": True,
            "ACLsEnabled": bool(own.token),
            "ConnectEnabled": False,
            "HTTPPort": own.http_port,
            "DNSPort": own.dns_port,
            "HTTPMaxConnsPerClient": _CONNECTIONS,
        },
        # Where it is among machines, as one that knows no other says it.
        "Coord": {"Vec": [0] * 8, "Error": 1.5, "Adjustment": 0, "Height": 1e-05},
        "Member": _member(own),
        "Stats": {
            "agent": {
                "check_monitors": "0",
                "check_ttls": str(sum("TTL" in row for row in catalog.definitions.rows.values())),
                "checks": str(len(agent.checks(catalog))),
                "services": str(len(agent.services(catalog))),
            },
            "build": {"prerelease": "", "revision": REVISION, "version": VERSION},
            "consul": {
                "acl": "disabled",
                "bootstrap": "true",
                "known_datacenters": "1",
                "leader": "true",
                "leader_addr": f"{own.address}:{_SERVER_PORT}",
                "server": "true",
            },
            "raft": {"applied_index": str(registry.tables.index), "state": "Leader", "num_peers": "0"},
            "serf_lan": {"members": "1", "failed": "0", "left": "0"},
        },
        "Meta": {"consul-network-segment": ""},
    }


async def version(_: Registry, __: Question) -> dict[str, str]:
    return {"SHA": "", "BuildDate": "1970-01-01T00:00:00Z", "HumanVersion": VERSION, "FIPS": ""}


async def host(_: Registry, __: Question) -> dict[str, Any]:
    """Some clients (go-micro's) ask every address for it, and take one that answers for alive."""
    return described()


async def members(registry: Registry, question: Question) -> list[dict[str, Any]]:
    return [_member(registry.identity, wan=bool(question.one("wan")))]


async def maintenance(registry: Registry, question: Question) -> web.Response:
    on = switched_on(question)
    with registry.tables.write() as write:
        agent.set_node_maintenance(registry.catalog, write, on=on, reason=question.one("reason"))
    return done()


async def reload(_: Registry, __: Question) -> web.Response:
    """There is no configuration that could have changed."""
    return done()


async def join(_: Registry, question: Question) -> web.Response:
    raise RefusalError(
        500, f"Failed to join {question.path('address')}: this registry is for one machine; past that, run Consul"
    )


async def force_leave(_: Registry, question: Question) -> web.Response:
    raise RefusalError(500, f"agent: No node found with name '{question.path('node')}'")


def _member(own: Identity, *, wan: bool = False) -> dict[str, Any]:
    return {
        "Name": f"{own.node}.{own.datacenter}" if wan else own.node,
        "Addr": own.address,
        "Port": _SERF_PORT + wan,
        "Tags": {
            "acls": "0",
            "build": f"{VERSION}:{REVISION}",
            "dc": own.datacenter,
            "id": own.node_id,
            "port": str(_SERVER_PORT),
            "raft_vsn": "3",
            "role": "consul",
            "segment": "",
            "vsn": "2",
            "vsn_max": "3",
            "vsn_min": "2",
        },
        "Status": 1,
        "ProtocolMin": 1,
        "ProtocolMax": 5,
        "ProtocolCur": 2,
        "DelegateMin": 2,
        "DelegateMax": 5,
        "DelegateCur": 4,
    }


ROUTES = (
    Route("GET", "/v1/agent/self", this),
    Route("GET", "/v1/agent/version", version),
    Route("GET", "/v1/agent/host", host),
    Route("GET", "/v1/agent/members", members),
    Route("PUT", "/v1/agent/maintenance", maintenance),
    Route("PUT", "/v1/agent/reload", reload),
    Route("PUT", "/v1/agent/join/{address:.*}", join),
    Route("PUT", "/v1/agent/force-leave/{node:.*}", force_leave),
)
