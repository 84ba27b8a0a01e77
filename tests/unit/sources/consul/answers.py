"""Answers of `/v1/health/service/NAME` as Consul gives them."""

from __future__ import annotations

from typing import Any


def check(status: str, name: str = "service check", output: str = "", node: bool = False) -> dict[str, Any]:
    return {
        "Node": "n1",
        "CheckID": name,
        "Name": name,
        "Status": status,
        "Output": output,
        "ServiceID": "" if node else "x",
    }


def entry(
    name: str = "web",
    id: str = "",
    port: int = 8080,
    address: str = "10.0.0.1",
    tags: tuple[str, ...] = (),
    meta: dict[str, str] | None = None,
    checks: tuple[dict[str, Any], ...] = (),
    node: dict[str, Any] | None = None,
    **service: Any,
) -> dict[str, Any]:
    return {
        "Node": {"Node": "n1", "Address": "10.0.9.9", "Datacenter": "dc1", "Meta": {}, **(node or {})},
        "Service": {
            "ID": id or f"{name}-{port}",
            "Service": name,
            "Tags": list(tags),
            "Address": address,
            "Meta": meta,
            "Port": port,
            "Weights": {"Passing": 1, "Warning": 1},
            **service,
        },
        "Checks": [check("passing", "serfHealth", "Agent alive and reachable", node=True), *checks],
    }
