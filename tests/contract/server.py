"""One of the two that are compared: asked by name, watched until it has settled, and cleaned between cases."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import httpx

from ..consul_binary import NODE
from .comparison import Roles


class Server:
    def __init__(self, url: str) -> None:
        self.client = _client(url)
        self.begin()

    def move(self, url: str) -> None:
        """It has another address now, and is still the same."""
        self.client.close()
        self.client = _client(url)

    def begin(self) -> None:
        self.names: dict[str, str] = {}
        self.roles = Roles()

    def call(self, method: str, path: str, options: dict[str, Any]) -> httpx.Response:
        return self.client.request(method, self.filled(path), **{key: self.filled(of) for key, of in options.items()})

    def ask(self, path: str, parameters: dict[str, str]) -> httpx.Response:
        """A read with more parameters than the path has already, which httpx would drop."""
        return self.call("GET", f"{path}{'&' if '?' in path else '?'}{urlencode(parameters)}", {})

    def filled(self, value: Any) -> Any:
        """With the names' values in place."""
        if isinstance(value, str):
            for name, kept in self.names.items():
                value = value.replace("{" + name + "}", kept)
            return value
        if isinstance(value, dict):
            return {self.filled(key): self.filled(of) for key, of in value.items()}
        if isinstance(value, list):
            return [self.filled(of) for of in value]
        return value


def _client(url: str) -> httpx.Client:
    return httpx.Client(
        base_url=url,
        headers={"Accept-Encoding": "identity"},
        timeout=90,
        trust_env=False,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
    )


def settled(server: Server) -> bool:
    """Whether the catalogue has what the agent has."""
    local = {
        *(("service", key, one["Service"]) for key, one in server.client.get("/v1/agent/services").json().items()),
        *(("check", key, _shown(one)) for key, one in server.client.get("/v1/agent/checks").json().items()),
    }
    node = server.client.get(f"/v1/catalog/node/{NODE}").json() or {"Services": {}}
    known = {
        *(("service", key, one["Service"]) for key, one in node["Services"].items() if key != "consul"),
        *(
            ("check", one["CheckID"], _shown(one))
            for one in server.client.get(f"/v1/health/node/{NODE}").json()
            if one["CheckID"] != "serfHealth"
        ),
    }
    return local == known


def _shown(check: dict[str, Any]) -> str:
    return f"{check['Status']} {check['Output']}"


def clean(client: httpx.Client) -> None:
    for name in client.get("/v1/agent/services").json():
        client.put(f"/v1/agent/service/deregister/{name}")
    for name in client.get("/v1/agent/checks").json():
        client.put(f"/v1/agent/check/deregister/{name}")
    for node in client.get("/v1/catalog/nodes").json():
        if node["Node"] != NODE:
            client.put("/v1/catalog/deregister", json={"Node": node["Node"]})
    for session in client.get("/v1/session/list").json() or []:
        client.put(f"/v1/session/destroy/{session['ID']}")
    client.delete("/v1/kv/", params={"recurse": ""})
