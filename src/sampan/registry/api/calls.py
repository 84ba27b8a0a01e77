"""Every call of Consul's HTTP API, and what becomes of it here: the one table for refusals, documentation and tests.

`python -m sampan.registry.api.calls docs/registry.md` writes it into that page.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

_ALONE = "this registry is for one machine and has none; a Consul has"
_NO_MESH = "Consul's own mesh is not part of this registry: Sampan routes by its documents"
_NO_ACL = "ACL support disabled"


@dataclass(frozen=True, slots=True)
class Call:
    """`path` as Consul's documentation writes it; a refused one ends in `*` for everything below. `note` is for the
    documentation. `refusal` is what clients are told, with `status`."""

    methods: tuple[str, ...]
    path: str
    note: str = ""
    refusal: str = ""
    status: int = 501


def _get(path: str, note: str = "") -> Call:
    return Call(("GET",), path, note)


def _put(path: str, note: str = "") -> Call:
    return Call(("PUT",), path, note)


def _refused(path: str, refusal: str, note: str = "", status: int = 501) -> Call:
    return Call(("GET", "PUT", "POST", "DELETE"), path, note, refusal, status)


SUPPORTED: tuple[Call, ...] = (
    _get("/v1/agent/self", "`Config.Revision` is `sampan`"),
    _get("/v1/agent/version"),
    _get("/v1/agent/host"),
    _get("/v1/agent/members", "one: this machine"),
    _get("/v1/agent/metrics", "how much there is; `?format=prometheus`"),
    _put("/v1/agent/maintenance"),
    _put("/v1/agent/reload", "does nothing: there is no configuration to read"),
    _put("/v1/agent/join/:address", "fails: it stands alone"),
    _put("/v1/agent/force-leave/:node", "fails: there is no other agent"),
    _get("/v1/agent/services", "`filter`"),
    _get("/v1/agent/service/:id", "blocks on `hash`"),
    _put("/v1/agent/service/register", "`replace-existing-checks`; `Connect.SidecarService` registers no proxy"),
    _put("/v1/agent/service/deregister/:id"),
    _put("/v1/agent/service/maintenance/:id"),
    _get("/v1/agent/checks", "`filter`"),
    _put("/v1/agent/check/register", "no scripts, no Docker"),
    _put("/v1/agent/check/deregister/:id"),
    _put("/v1/agent/check/pass/:id"),
    _put("/v1/agent/check/warn/:id"),
    _put("/v1/agent/check/fail/:id"),
    _put("/v1/agent/check/update/:id"),
    _get("/v1/agent/health/service/id/:id", "200, 429, 503; `format=text`"),
    _get("/v1/agent/health/service/name/:name", "200, 429, 503; `format=text`"),
    _put("/v1/catalog/register", "our own node's facts stay as they are"),
    _put("/v1/catalog/deregister", "our own node comes back empty"),
    _get("/v1/catalog/datacenters"),
    _get("/v1/catalog/nodes", "blocks"),
    _get("/v1/catalog/node/:node", "blocks"),
    _get("/v1/catalog/node-services/:node", "blocks"),
    _get("/v1/catalog/services", "blocks; there is no service `consul`"),
    _get("/v1/catalog/service/:service", "blocks"),
    _get("/v1/catalog/connect/:service", "blocks"),
    _get("/v1/health/service/:service", "blocks"),
    _get("/v1/health/connect/:service", "blocks"),
    _get("/v1/health/ingress/:service", "always empty"),
    _get("/v1/health/checks/:service", "blocks"),
    _get("/v1/health/node/:node", "blocks"),
    _get("/v1/health/state/:state", "blocks"),
    Call(("GET", "PUT", "DELETE"), "/v1/kv/:key", "`raw`, `recurse`, `keys`, `cas`, `acquire`, `release`; blocks"),
    Call(("GET", "PUT", "DELETE"), "/v1/kv", "sends to `/v1/kv/`"),
    _put("/v1/session/create"),
    _put("/v1/session/destroy/:session"),
    _put("/v1/session/renew/:session"),
    _get("/v1/session/info/:session", "blocks"),
    _get("/v1/session/node/:node", "blocks"),
    _get("/v1/session/list", "blocks"),
    _put("/v1/txn", "keys, nodes, services, checks; at most 64 operations and 512 KiB"),
    Call(("PUT", "POST"), "/v1/event/fire/:name", "the last 256 are kept, in memory"),
    _get("/v1/event/list", "blocks"),
    _get("/v1/events", "the same: some clients ask there"),
    _get("/v1/coordinate/nodes", "one: this machine, at the origin"),
    _get("/v1/coordinate/node/:node"),
    _get("/v1/coordinate/datacenters", "one: ours"),
    _get("/v1/status/leader", "we are"),
    _get("/v1/status/peers"),
)
REFUSED: tuple[Call, ...] = (
    _refused("/v1/acl/*", _NO_ACL, "as a Consul without ACLs answers", 401),
    _refused("/v1/agent/token/*", _NO_ACL, "as a Consul without ACLs answers", 401),
    _refused("/v1/agent/leave", "This registry ends with the Sampan that started it: sampan down"),
    _refused("/v1/agent/monitor", "The registry's log is the supervisor's: see the output of sampan up"),
    _refused("/v1/agent/connect/*", _NO_MESH),
    _refused("/v1/catalog/gateway-services/*", _NO_MESH),
    _refused("/v1/config", _NO_MESH),
    _refused("/v1/config/*", _NO_MESH),
    _refused("/v1/connect/*", _NO_MESH),
    _refused("/v1/discovery-chain/*", _NO_MESH),
    _refused("/v1/exported-services", _NO_MESH),
    _refused("/v1/imported-services", _NO_MESH),
    _refused("/v1/internal/*", f"The calls of Consul's own UI: {_ALONE} it"),
    _refused("/v1/namespace/*", f"Namespaces: {_ALONE} them, in its Enterprise edition"),
    _refused("/v1/namespaces", f"Namespaces: {_ALONE} them, in its Enterprise edition"),
    _refused("/v1/operator/*", f"A cluster to operate: {_ALONE} one"),
    _refused("/v1/partition/*", f"Partitions: {_ALONE} them, in its Enterprise edition"),
    _refused("/v1/partitions", f"Partitions: {_ALONE} them, in its Enterprise edition"),
    _refused("/v1/peering", f"Peers: {_ALONE} them"),
    _refused("/v1/peering/*", f"Peers: {_ALONE} them"),
    _refused("/v1/peerings", f"Peers: {_ALONE} them"),
    _refused("/v1/query", f"Prepared queries: {_ALONE} them"),
    _refused("/v1/query/*", f"Prepared queries: {_ALONE} them"),
    _refused("/v1/snapshot", f"Snapshots: {_ALONE} them. Copy the state folder while the registry is not running"),
)


BEGIN, END = "<!-- calls: made by python -m sampan.registry.api.calls -->", "<!-- end of calls -->"


def page(text: str) -> str:
    """docs/registry.md with the table as it is now, between its marks."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{_table()}\n{END}{rest.partition(END)[2]}"


def _table() -> str:
    answered = [f"| {', '.join(call.methods)} | `{call.path}` | {call.note} |" for call in SUPPORTED]
    refused = [f"| `{call.path}` | {call.status} | {call.note or call.refusal} |" for call in REFUSED]
    return "\n".join(
        [
            *("| | call | |", "|---|---|---|", *answered, ""),
            *("These are refused, with a sentence that says so:", ""),
            *("| call | status | why |", "|---|---|---|", *refused, ""),
        ]
    )


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(page(path.read_text()))
