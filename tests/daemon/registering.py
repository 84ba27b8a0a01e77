"""A registry as a service's own client sees it: Consul's HTTP API, of the embedded one or of Consul."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from sampan.registry import place

from .conftest import until


class Registry:
    """At host:port."""

    def __init__(self, address: str, token: str = "") -> None:
        self.address, self.headers = address, {"x-consul-token": token} if token else {}

    @classmethod
    def of(cls, state: Path, token: str = "") -> Registry:
        """The embedded one of a Sampan, once it serves."""
        found: place.Announcement = until(lambda: place.read(state))
        return cls(found.http, token)

    def register(self, service: str, port: int, instance: str = "", **more: Any) -> None:
        body = {"Name": service, "ID": instance or service, "Address": "127.0.0.1", "Port": port, **more}
        assert self.call("PUT", "/v1/agent/service/register", body)[0] == 200

    def deregister(self, instance: str) -> None:
        assert self.call("PUT", f"/v1/agent/service/deregister/{instance}")[0] == 200

    def instances(self) -> set[str]:
        return set(self.call("GET", "/v1/agent/services")[1])

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        connection = HTTPConnection(self.address, timeout=10)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), self.headers)
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text.strip() and answer.status == 200 else None
        finally:
            connection.close()
